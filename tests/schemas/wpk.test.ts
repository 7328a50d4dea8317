import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { parseDocument } from '../../platform/document.ts'
import { isWpk, wpkProblems } from '../../schemas/wpk.ts'

const minimal = () => ({
  apiVersion: 'v1',
  kind: 'WorkflowPackage',
  metadata: { name: 'a-package', version: '1.0.0' },
  spec: { handlers: [{ name: 'one', type: 'shell', config: { command: 'true' } }] },
})
const problemsOf = (change: (wpk: ReturnType<typeof minimal>) => unknown): string[] =>
  wpkProblems(change(minimal())).map(({ pointer, code }) => `${pointer} ${code}`)

describe('the WPK schema', () => {
  const examples = new URL('../../docs/examples/', import.meta.url)
  for (const file of readdirSync(examples)) {
    it(`accepts docs/examples/${file}`, () => {
      const parsed = parseDocument(readFileSync(new URL(file, examples)))
      expect(parsed.ok && isWpk(parsed.value)).to.equal(true)
    })
  }

  it('accepts a package with no more than what is required', () => {
    expect(wpkProblems(minimal())).to.deep.equal([])
  })

  it('keeps packages working that carry further keys', () => {
    const wpk = { ...minimal(), extra: 1, metadata: { ...minimal().metadata, license: 'MIT', signature: '' } }
    expect(wpkProblems(wpk)).to.deep.equal([])
  })

  it('accepts numbers where YAML makes them of versions and amounts', () => {
    const spec = { ...minimal().spec, runtime: { type: 'k8s', version: 1.28, requirements: { cpu: 2 } } }
    expect(wpkProblems({ ...minimal(), spec })).to.deep.equal([])
  })

  it('names each missing part', () => {
    expect(problemsOf(() => ({ spec: {} }))).to.have.members([
      '/apiVersion schema_required',
      '/kind schema_required',
      '/metadata schema_required',
      '/spec/handlers schema_required',
    ])
  })

  for (const version of ['1.0', 'v1.0.0', '01.0.0', '1.0.0-', 'latest']) {
    it(`refuses the version ${version}`, () => {
      expect(problemsOf((wpk) => ({ ...wpk, metadata: { ...wpk.metadata, version } }))).to.deep.equal([
        '/metadata/version schema_pattern',
      ])
    })
  }

  for (const name of ['Upper', '-dash', 'a b', '', 'ä']) {
    it(`refuses the name "${name}"`, () => {
      expect(problemsOf((wpk) => ({ ...wpk, metadata: { ...wpk.metadata, name } }))).to.deep.equal([
        '/metadata/name schema_pattern',
      ])
    })
  }

  it('refuses unknown kinds of handlers, triggers and modes', () => {
    const spec = {
      handlers: [{ name: 'x', type: 'vm', config: {} }],
      triggers: [{ type: 'mail' }],
      safety: { mode: 'maybe' },
    }
    expect(problemsOf((wpk) => ({ ...wpk, spec }))).to.have.members([
      '/spec/handlers/0/type schema_enum',
      '/spec/triggers/0/type schema_enum',
      '/spec/safety/mode schema_enum',
    ])
  })

  it('refuses a flag that is a text', () => {
    const spec = { ...minimal().spec, safety: { approval_required: 'true' } }
    expect(problemsOf((wpk) => ({ ...wpk, spec }))).to.deep.equal(['/spec/safety/approval_required schema_type'])
  })

  it('stops at twenty problems', () => {
    const handlers = Array.from({ length: 500 }, () => ({ type: 1 }))
    expect(wpkProblems({ ...minimal(), spec: { handlers } })).to.have.length(20)
  })
})
