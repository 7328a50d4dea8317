import { expect } from 'chai'
import { parseDocument, parseJson } from '../../platform/document.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const codeOf = (text: string): string => {
  const parsed = parseDocument(bytes(text))
  return parsed.ok ? 'ok' : parsed.code
}

describe('parseDocument', () => {
  it('reads the same object from JSON and from YAML', () => {
    const value = { a: 1, b: ['x', { c: true }], d: null }
    expect(parseDocument(bytes(JSON.stringify(value)))).to.deep.equal({ ok: true, value, format: 'json' })
    expect(parseDocument(bytes('a: 1\nb:\n  - x\n  - c: true\nd: null\n'))).to.deep.equal({
      ok: true,
      value,
      format: 'yaml',
    })
  })

  it('goes by the media type when it is given', () => {
    expect(parseDocument(bytes('{a: 1}'), {}, 'application/yaml')).to.include({ ok: true, format: 'yaml' })
    expect(parseDocument(bytes('a: 1'), {}, 'application/json')).to.include({ ok: false, code: 'document_syntax' })
  })

  it('leaves dates and version-like texts as texts', () => {
    const parsed = parseDocument(bytes('created: 2025-01-14T09:30:00Z\nversion: 1.0.0\non: yes\n'))
    expect(parsed).to.deep.include({ value: { created: '2025-01-14T09:30:00Z', version: '1.0.0', on: 'yes' } })
  })

  it('resolves a few aliases', () => {
    expect(parseDocument(bytes('a: &x {k: 1}\nb: *x\n'))).to.deep.include({ value: { a: { k: 1 }, b: { k: 1 } } })
  })

  const refused: [string, string, string][] = [
    ['a list', '[1]', 'document_not_object'],
    ['an empty text', '', 'document_not_object'],
    ['a double key in JSON', '{"a":{"b":[0,{"c":1,"\\u0063":2}]}}', 'document_duplicate_key'],
    ['a double key in YAML', 'a: {b: 1, b: 2}', 'document_duplicate_key'],
    ['a key that equals another once it is a text', 'a: {1: x, "1": y}', 'document_duplicate_key'],
    ['__proto__', '{"a":{"__proto__":{}}}', 'document_forbidden_key'],
    ['constructor in YAML', 'a:\n  - constructor: 1', 'document_forbidden_key'],
    ['a list as a key', '? [a, b]\n: 1', 'document_invalid_key'],
    ['NaN', 'a: .nan', 'document_number_not_finite'],
    ['infinity in YAML', 'a: -.inf', 'document_number_not_finite'],
    ['a number beyond every number', '{"a":[1e999]}', 'document_number_not_finite'],
    ['a custom tag', 'a: !!js/function "x"', 'document_tag_not_allowed'],
    ['binary data', 'a: !!binary aGk=', 'document_tag_not_allowed'],
    ['a directive', '%YAML 1.1\n---\na: 1', 'document_directive_not_allowed'],
    ['two documents', 'a: 1\n---\nb: 2', 'document_several_documents'],
    ['an alias of itself', 'a: &a {b: *a}', 'document_too_deep'],
    ['JSON 33 levels deep', `{"a":${'['.repeat(32)}${']'.repeat(32)}}`, 'document_too_deep'],
    ['YAML 40 levels deep', `a: ${'['.repeat(40)}${']'.repeat(40)}`, 'document_too_deep'],
  ]
  for (const [title, text, code] of refused) {
    it(`refuses ${title}`, () => {
      expect(codeOf(text)).to.equal(code)
    })
  }

  it('accepts 32 levels in both formats', () => {
    const deep = `{"a":${'['.repeat(31)}${']'.repeat(31)}}`
    expect(parseDocument(bytes(deep))).to.include({ ok: true, format: 'json' })
    expect(parseDocument(bytes(deep), {}, 'application/yaml')).to.include({ ok: true, format: 'yaml' })
  })

  it('names line and column of a syntax error and repeats no text of the document', () => {
    const json = parseDocument(bytes('{"a": 1,\n "b": topsecret}'))
    expect(json).to.deep.include({ code: 'document_syntax' })
    expect(json)
      .to.have.property('detail')
      .that.matches(/line 2, column \d+$/)
    expect(json).to.have.property('detail').that.does.not.contain('topsecret')
    expect(parseDocument(bytes('a: [1\nb: }')))
      .to.have.property('detail')
      .that.matches(/line 2, column \d+$/)
  })

  it('names the place of a double key', () => {
    expect(parseDocument(bytes('{"a":[{"x/y":1,"x/y":2}]}'))).to.include({ pointer: '/a/0/x~1y' })
    expect(parseDocument(bytes('a: {b: 1, b: 2}'))).to.include({ pointer: '/a/b' })
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(parseDocument(Uint8Array.of(0x7b, 0xff, 0x7d))).to.include({ code: 'document_not_utf8' })
    expect(parseDocument(Uint8Array.of(0xc0, 0x80))).to.include({ code: 'document_not_utf8' })
  })

  it('keeps to the limits it is given', () => {
    expect(parseDocument(bytes('{"a":1}'), { maxBytes: 6 })).to.include({ code: 'document_too_large' })
    expect(parseDocument(bytes('{"a":{}}'), { maxDepth: 1 })).to.include({ code: 'document_too_deep' })
    expect(parseDocument(bytes('{"a":[1,2,3,4]}'), { maxNodes: 3 })).to.include({ code: 'document_too_many_nodes' })
  })
})

describe('parseJson', () => {
  it('accepts any root and refuses YAML', () => {
    expect(parseJson(bytes('3'))).to.deep.include({ ok: true, value: 3 })
    expect(parseJson(bytes('a: 1'))).to.include({ ok: false, code: 'document_syntax' })
  })

  it('checks keys like a document', () => {
    expect(parseJson(bytes('[{"a":1,"a":2}]'))).to.include({ code: 'document_duplicate_key', pointer: '/0/a' })
    expect(parseJson(bytes('{"prototype":1}'))).to.include({ code: 'document_forbidden_key' })
  })
})

describe('parseDocument on hostile texts of up to 1 MB', () => {
  const bomb = ['b', 'c', 'd', 'e', 'f', 'g']
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdef'[index]}`).join(',')}]`)
    .join('\n')
  const hostile: [string, string][] = [
    ['JSON lists 999,000 deep', '['.repeat(999_000)],
    ['JSON objects 190,000 deep', '{"a":'.repeat(190_000)],
    ['YAML lists 990,000 deep', `a: ${'['.repeat(990_000)}`],
    ['YAML dashes 490,000 deep', `${'- '.repeat(490_000)}x`],
    ['YAML indented 1,000 deep', Array.from({ length: 1000 }, (_item, index) => `${' '.repeat(index)}a:\n`).join('')],
    ['90,000 YAML keys', Array.from({ length: 90_000 }, (_item, index) => `k${index}: 1\n`).join('')],
    ['90,000 JSON keys', `{${Array.from({ length: 90_000 }, (_item, index) => `"k${index}":1`).join(',')}}`],
    ['an alias bomb', `a: &a [x,x,x,x,x,x,x,x,x]\n${bomb}`],
    ['ten doubling aliases', `a: &a [${'x,'.repeat(4000)}]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: [*d,*d]`],
    ['200,000 anchors', `a: ${'&a '.repeat(200_000)}`],
    ['400,000 comment lines', '#\n'.repeat(400_000)],
    ['200,000 documents', '---\n'.repeat(200_000)],
    ['an unfinished text of many lines', `a: "${'\n'.repeat(900_000)}`],
    ['unfinished JSON texts', '{"\\'.repeat(200_000)],
  ]
  // Time of this process, the best of six: a busy machine must not fail a bound on the work.
  for (const [title, text] of hostile) {
    it(`refuses ${title} in less than 50 ms`, () => {
      const content = bytes(text)
      const times = [1, 2, 3, 4, 5, 6].map(() => {
        const start = process.cpuUsage()
        expect(parseDocument(content)).to.include({ ok: false })
        const { user, system } = process.cpuUsage(start)
        return (user + system) / 1000
      })
      expect(Math.min(...times)).to.be.below(50)
    })
  }
})
