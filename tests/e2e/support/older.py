"""older.py DATABASE VERSION FILLERS: rewrites an SQLite store as the version of the broker with this schema would have left it.

The tables are made by the migrations of src/store/sqlite/schema.rs up to VERSION, and get the rows and the columns that there
were then. FILLERS expired grants with their codes, refresh tokens and sessions make the migrations take a while. Without
FILLERS, prints the schema of the database and the newest one.
"""
import os
import re
import sqlite3
import sys

SOURCE = os.path.join(os.path.dirname(__file__), '../../../src/store/sqlite/schema.rs')


def migrations():
    text = open(SOURCE, encoding='utf-8').read()
    names = re.findall(r'\b[A-Z_]{3,}\b', re.search(r'MIGRATIONS: &\[&str\] = &\[(.*?)\];', text, re.S)[1])
    statements = dict(re.findall(r'^const ([A-Z_]+): &str = "(.*?)";', text, re.S | re.M))
    return [statements[name] for name in names]


def application_id(connection):
    return connection.execute('PRAGMA application_id').fetchone()[0]


def tables(connection, schema):
    rows = connection.execute(f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: [row[1] for row in connection.execute(f'PRAGMA {schema}.table_info({name})')] for (name,) in rows.fetchall()}


def fill(connection, fillers):
    """Rows that only make work: they have expired, and nobody ever asks for them."""
    rows = {
        'grants': {'id': "'filler-' || n", 'client': "'app'", 'data': "'{}'", 'expires_at': '1'},
        'codes': {'hash': 'randomblob(32)', 'grant_id': "'filler-' || n", 'data': "'{\"grant\":{\"sid\":\"filler\"}}'", 'used_at': '1', 'expires_at': '1', 'keep_until': '1'},
        'refresh_tokens': {'hash': 'randomblob(32)', 'grant_id': "'filler-' || n", 'created_at': '1', 'expires_at': '1', 'family_expires_at': '1'},
        'sessions': {'id': "'filler-' || n", 'secret': 'randomblob(32)', 'user_id': '(SELECT id FROM users LIMIT 1)', 'data': "'{}'", 'last_active': '1', 'max_inactive': '1', 'expires_at': '1'},
    }
    for table, columns in rows.items():
        names, values = ', '.join(columns), ', '.join(columns.values())
        connection.execute(
            f'WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {fillers}) '
            f'INSERT INTO main.{table} ({names}) SELECT {values} FROM numbers')


def older(path, version, fillers):
    newer = f'{path}.newer'
    connection = sqlite3.connect(path)
    identity = application_id(connection)
    # What is in the log goes into the file.
    connection.execute('PRAGMA journal_mode = DELETE').fetchone()
    connection.close()
    os.rename(path, newer)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;')
    for statements in migrations()[:version]:
        connection.executescript(statements)
    connection.execute('ATTACH ? AS newer', (newer,))
    connection.execute('BEGIN')
    there, now = tables(connection, 'main'), tables(connection, 'newer')
    for table, columns in there.items():
        common = ', '.join(column for column in columns if column in now.get(table, []))
        if common:
            connection.execute(f'INSERT INTO main.{table} ({common}) SELECT {common} FROM newer.{table}')
    if 'audit' not in there:
        # What is known of a trail that there was not yet.
        connection.execute("DELETE FROM main.meta WHERE key NOT LIKE 'seal:%'")
    if 'logout_notices' in there:
        connection.execute('DELETE FROM main.sqlite_sequence')
        connection.execute('INSERT INTO main.sqlite_sequence SELECT * FROM newer.sqlite_sequence')
    fill(connection, fillers)
    connection.execute('COMMIT')
    connection.executescript(f'PRAGMA application_id = {identity}; PRAGMA user_version = {version};')
    connection.close()
    os.remove(newer)


path = sys.argv[1]
if len(sys.argv) > 2:
    older(path, int(sys.argv[2]), int(sys.argv[3]))
else:
    found = sqlite3.connect(path).execute('PRAGMA user_version').fetchone()[0]
    print(found, len(migrations()))
