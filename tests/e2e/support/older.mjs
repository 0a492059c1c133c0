// Rewrites a store as an older version of the broker would have left it: its tables are made by the migrations up to that
// version, and get the rows and columns that there were then.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { root } from './broker.mjs'

const script = join(root, 'tests/e2e/support/older.py')
const source = join(root, 'src/store/postgres')

const python = async (...args) => (await promisify(execFile)('python3', [script, ...args.map(String)])).stdout

/** An SQLite store. */
export class OldSqlite {
  constructor(path) {
    this.path = path
  }

  /** The schema of the store, and the newest one. */
  async versions() {
    return (await python(this.path)).split(' ').map(Number)
  }

  async rewrite(version, fillers) {
    await python(this.path, version, fillers)
  }

  /** Its migrations take long enough to be hit. */
  async heldUp(during) {
    await during()
  }
}

/** A store in PostgreSQL. */
export class OldPostgres {
  constructor(postgres, database) {
    Object.assign(this, { postgres, database })
    const text = readFileSync(join(source, 'schema.rs'), 'utf8')
    const [, list] = /MIGRATIONS: &\[&str\] = &\[(.*?)\];/s.exec(text)
    this.migrations = [...list.matchAll(/include_str!\("(.*?)"\)/g)].map(([, name]) => readFileSync(join(source, name), 'utf8'))
    ;[, this.createStore] = /CREATE_STORE: &str = "(.*?)";/s.exec(text)
  }

  async versions() {
    return [Number(await this.postgres.sql('SELECT version FROM countersign_store', this.database)), this.migrations.length]
  }

  /** Its migrations take no longer with more rows. */
  async rewrite(version) {
    await this.postgres.sql(`
BEGIN;
SET session_replication_role = replica;
ALTER SCHEMA public RENAME TO newer;
CREATE SCHEMA public AUTHORIZATION countersign;
GRANT ALL ON SCHEMA newer TO countersign;
SET ROLE countersign;
SET search_path = public;
${this.createStore}
${this.migrations.slice(0, version).join('\n')}
DO $$
DECLARE
    v_table text;
    v_columns text;
    v_sequence record;
BEGIN
    FOR v_table IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        SELECT string_agg(quote_ident(o.column_name), ', ') INTO v_columns FROM information_schema.columns o
            JOIN information_schema.columns n USING (table_name, column_name)
            WHERE o.table_schema = 'public' AND n.table_schema = 'newer' AND table_name = v_table AND o.is_generated = 'NEVER';
        EXECUTE format('DELETE FROM public.%I', v_table);
        EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM newer.%I', v_table, v_columns, v_columns, v_table);
    END LOOP;
    FOR v_sequence IN SELECT table_name t, column_name c FROM information_schema.columns
            WHERE table_schema = 'public' AND is_identity = 'YES' LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), (SELECT coalesce(max(%I), 1) FROM public.%I))',
            v_sequence.t, v_sequence.c, v_sequence.c, v_sequence.t);
    END LOOP;
END $$;
UPDATE countersign_store SET version = ${version};
RESET ROLE;
DROP SCHEMA newer CASCADE;
COMMIT`, this.database)
  }

  /** Lets a migration begin, and keeps it from being completed, until `during` is done. */
  async heldUp(during) {
    const held = this.postgres.sql(`BEGIN; LOCK TABLE links IN ACCESS SHARE MODE; SELECT pg_sleep(0.8); COMMIT`, this.database)
    await during()
    await held
  }
}
