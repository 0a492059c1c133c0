// The script of the pages, as old engines read it: one that does not know a single expression of a file runs none of it.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { parse } from 'acorn'

test('the script of the pages is ECMAScript 5', async () => {
  const source = await readFile(new URL('../../static/page.js', import.meta.url), 'utf8')
  parse(source, { ecmaVersion: 5, sourceType: 'script' })
  for (const newer of ['const a = 1', 'var a = [...b]', 'var a = /\\p{M}/u', 'var a = () => 1']) {
    assert.throws(() => parse(`${source}\n${newer}`, { ecmaVersion: 5 }), SyntaxError, newer)
  }
})
