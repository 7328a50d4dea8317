import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Import, importsOf, sourceFiles } from './imports.ts'
import { doorFault, environmentFault, roomFault } from './rules.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Longer than 300 lines, each with the reason. */
const LONG: Record<string, string> = {
  'consumers/governance/training/fragments.ts': 'a list of text fragments, not code',
  'tests/consumers/governance/shapes/fresh-packages.ts': 'forty packages, not code',
  'tests/consumers/metering/scenarios.test.ts': 'one block for each public case, in the shapes of the file',
  'tests/platform/bus.contract.ts': 'one suite for both backends of the bus',
  'tests/platform/bus.kafka.db.test.ts': 'one real broker, started once, for all that is said of it',
  'tests/producers/marketplace/rescans/rescans.db.test.ts': 'one analyzer and its rounds for all that is said of them',
  'tests/producers/marketplace/trust/bundle.test.ts': 'one block for each form and each hostile bundle',
  'tests/producers/marketplace/trust/keyless.test.ts': 'the same for signatures without a key',
  'tests/portal/web/page.test.ts': 'one browser, opened once, for every view of the page',
}

describe('architecture: rooms', () => {
  const files = sourceFiles(root)
  const imports = files.flatMap(importsOf)
  const faultsOf = <T>(items: readonly T[], fault: (item: T) => string | null) =>
    items.map(fault).filter((one) => one !== null)

  it('sees every room and every vendor it speaks of', () => {
    for (const room of ['schemas', 'platform', 'producers', 'consumers', 'portal', 'deploy', 'sdk', 'tests'])
      expect(
        files.some(({ path }) => path.startsWith(`${room}/`)),
        room,
      ).to.equal(true)
    for (const vendor of [
      'knex',
      'pg',
      'prom-client',
      'pino',
      'express',
      'jose',
      '@sigstore/bundle',
      'onnxruntime-node',
      'stripe',
      'yaml',
    ])
      expect(
        imports.some(({ to }) => to === vendor),
        vendor,
      ).to.equal(true)
  })

  it('imports only along the arrows', () => {
    expect(faultsOf(imports, roomFault)).to.deep.equal([])
  })

  it('meets each vendor at its one door', () => {
    expect(faultsOf(imports, doorFault)).to.deep.equal([])
  })

  it('reads the environment only where a process is put together', () => {
    expect(faultsOf(files, environmentFault)).to.deep.equal([])
  })

  it('keeps files under 300 lines, or says why not', () => {
    const long = files.filter(({ text }) => text.split('\n').length - 1 > 300).map(({ path }) => path)
    expect(long.filter((path) => !LONG[path])).to.deep.equal([])
  })

  describe('the check itself', () => {
    const planted = (path: string, text: string): Import => importsOf({ path, text })[0] as Import

    for (const form of [
      "import { a } from 'X'",
      "import 'X'",
      "await import('X')",
      "require('X')",
      "export * from 'X'",
    ]) {
      it(`sees ${form}`, () => {
        const [found] = importsOf({
          path: 'portal/analytics.ts',
          text: form.replace('X', '../consumers/metering/issue.ts'),
        })
        expect(found).to.deep.equal({ from: 'portal/analytics.ts', to: 'consumers/metering/issue.ts', ours: true })
        expect(roomFault(found as Import)).to.equal(
          'portal/analytics.ts imports consumers/metering/issue.ts, but portal may not see consumers/metering',
        )
      })
    }

    const violations: [string, string][] = [
      ['consumers/metering/issue.ts', '../analytics/index.ts'],
      ['producers/usage/report.ts', '../marketplace/errors.ts'],
      ['producers/usage/report.ts', '../../consumers/metering/errors.ts'],
      ['platform/db.ts', '../deploy/settings.ts'],
      ['platform/bus/runner.ts', '../../schemas/wpk.ts'],
      ['schemas/topics.ts', '../platform/db.ts'],
      ['sdk/typescript/request.ts', '../../platform/db.ts'],
      ['deploy/settings.ts', '../main.ts'],
      ['lib/shared.ts', '../platform/db.ts'],
    ]
    for (const [from, to] of violations)
      it(`refuses ${from} -> ${to}`, () => {
        expect(roomFault(planted(from, `import '${to}'`))).to.contain(from)
      })

    const past: [string, string][] = [
      ['consumers/metering/issue.ts', 'knex'],
      ['platform/artifacts.ts', 'pg'],
      ['platform/http/service.ts', 'prom-client'],
      ['main.ts', 'pino'],
      ['portal/analytics.ts', 'express'],
      ['platform/auth/authenticate.ts', 'jose'],
      ['producers/marketplace/upload.ts', '@sigstore/verify'],
      ['consumers/governance/judge.ts', 'onnxruntime-node'],
      ['consumers/metering/issue.ts', 'stripe'],
      ['consumers/metering/payments/send-aws-usage.ts', '@aws-sdk/client-marketplace-metering'],
      ['schemas/wpk.ts', 'yaml/util'],
      ['platform/bus/relay.ts', 'kafkajs'],
    ]
    for (const [from, vendor] of past)
      it(`refuses ${vendor} in ${from}`, () => {
        expect(doorFault(planted(from, `import '${vendor}'`))).to.match(
          new RegExp(`^${from} imports .* whose door is `),
        )
      })

    it('refuses the environment anywhere else, and does not mind the word in a comment', () => {
      const file = (text: string) => environmentFault({ path: 'platform/settings.ts', text })
      expect(file('const home = process.env.HOME')).to.contain('platform/settings.ts')
      expect(file("const home = process['env'].HOME")).to.contain('platform/settings.ts')
      expect(file("fetch('http://a' + process.env.HOST)")).to.contain('platform/settings.ts')
      expect(file('// never process.env here')).to.equal(null)
    })
  })
})
