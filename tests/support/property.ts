import fc from 'fast-check'

/**
 * Runs a property; a failure names the seed and path to run it again with (ATOM_SEED, ATOM_PATH). ATOM_RUNS asks for
 * another number of runs of every property, without a limit of time, and prints the seed of each.
 */
export async function holds<T>(property: fc.IProperty<T> | fc.IAsyncProperty<T>, runs = 200): Promise<void> {
  const { ATOM_SEED: seed, ATOM_PATH: path, ATOM_RUNS: asked } = process.env
  const options: fc.Parameters<T> = {
    numRuns: asked ? Number(asked) : runs,
    ...(seed ? { seed: Number(seed) } : {}),
    ...(path ? { path } : {}),
  }
  const details = await fc.check(property as fc.IAsyncProperty<T>, options)
  if (asked && !details.failed) console.log(`${details.numRuns} runs, seed ${details.seed}`)
  if (!details.failed) return
  const again = `ATOM_SEED=${details.seed} ATOM_PATH=${details.counterexamplePath}`
  throw new Error(`property fails (run again with ${again})\n${fc.defaultReportMessage(details)}`, {
    cause: details.errorInstance,
  })
}
