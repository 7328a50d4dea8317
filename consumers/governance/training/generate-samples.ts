import { writeFileSync } from 'node:fs'
import type { Wpk } from '../../../schemas/wpk.ts'
import { BASE_NAMES, packageOf } from './bases.ts'
import { CODE_FAMILIES } from './families-code.ts'
import { DATA_FAMILIES } from './families-data.ts'
import { EXECUTION_FAMILIES } from './families-execution.ts'
import { SYSTEM_FAMILIES } from './families-system.ts'
import { randomOf } from './random.ts'

/** One training sample. `family` groups pairs made by the same grammar: validation never splits a family. */
export type Sample = { id: number; family: string; base: string; risky: boolean; wpk: Wpk }

// A new family goes to the end of its list; every later one then draws other random numbers, which is harmless.
const FAMILIES = [...DATA_FAMILIES, ...EXECUTION_FAMILIES, ...SYSTEM_FAMILIES, ...CODE_FAMILIES]
const PAIRS_PER_FAMILY = 10
const SEED = 20_250_101

/** Every sample, the risky one of a pair directly before its twin, which is made with the same random numbers. */
export function generateSamples(): Sample[] {
  const samples: Sample[] = []
  FAMILIES.forEach((family, familyNumber) => {
    for (let pair = 0; pair < PAIRS_PER_FAMILY; pair += 1) {
      const seed = SEED + familyNumber * 1000 + pair
      const base = BASE_NAMES[(familyNumber + pair) % BASE_NAMES.length] ?? 'task'
      const sides = family.pair(randomOf(seed))
      for (const risky of [true, false]) {
        const id = samples.length + 1
        const wpk = packageOf(base, id, risky ? sides.risky : sides.benign, randomOf(seed + 500))
        samples.push({ id, family: family.name, base, risky, wpk })
      }
    }
  })
  return samples
}

const target = process.argv[2]
if (target !== undefined && import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  const samples = generateSamples()
  writeFileSync(target, `${samples.map((sample) => JSON.stringify(sample)).join('\n')}\n`)
  console.log(`${samples.length} samples of ${FAMILIES.length} families written to ${target}`)
}
