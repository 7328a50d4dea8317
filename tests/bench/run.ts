import { cpus } from 'node:os'
import { messageOf } from '../../platform/errors.ts'
import { billing } from './billing.ts'
import { bus } from './bus.ts'
import { credits } from './credits.ts'
import { governance } from './governance.ts'
import { marketplace } from './marketplace.ts'
import { type Bench, type Figure, missesFar, tableOf } from './measure.ts'

const benches: Record<string, Bench> = { bus, billing, credits, governance, marketplace }

/** `npm run bench [-- NAME] [-- --check] [-- --short]`: with `--check`, 1 when a hold is missed by more than a quarter. */
async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('--'))
  const unknown = names.filter((name) => !(name in benches))
  if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}; there is ${Object.keys(benches).join(', ')}`)
  const figures: Figure[] = []
  for (const [name, bench] of Object.entries(benches))
    if (names.length === 0 || names.includes(name))
      figures.push(...(await bench((text) => console.log(`${name} ${text}`), args.includes('--short'))))
  console.log(`\n${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n\n${tableOf(figures)}`)
  const far = figures.filter(missesFar)
  for (const { name } of far) console.log(`MISSED by more than a quarter: ${name}`)
  return args.includes('--check') && far.length > 0 ? 1 : 0
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(messageOf(error))
    process.exit(2)
  },
)
