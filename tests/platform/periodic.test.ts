import { expect } from 'chai'
import { openActivity } from '../../platform/activity.ts'
import { silentLog } from '../../platform/log.ts'
import { runPeriodically } from '../../platform/periodic.ts'

/** Long enough that no test waits for it: what runs sooner was woken. */
const NEVER_MS = 600_000

describe('periodic work that rests while nothing happens', () => {
  it('is begun again by what happens here', async () => {
    const activity = openActivity()
    const turns = countTurns([0, 0])
    const periodic = runPeriodically('work', 1, turns.work, silentLog, { idleMs: NEVER_MS, activity })
    await turns.reached(1)
    activity.happened()
    await turns.reached(2)
    await periodic.stop()
    expect(turns.done()).to.equal(2)
  })

  it('goes on at once after it found something', async () => {
    const turns = countTurns([3, undefined, 1, 0])
    const quiet = { idleMs: NEVER_MS, activity: openActivity() }
    const periodic = runPeriodically('work', 1, turns.work, silentLog, quiet)
    await turns.reached(4)
    await periodic.stop()
  })

  it('misses nothing that happens while it works', async () => {
    const activity = openActivity()
    const turns = countTurns([0, 0])
    const work = () => {
      // What it looked at is older than this.
      if (turns.done() === 0) activity.happened()
      return turns.work()
    }
    const periodic = runPeriodically('work', 1, work, silentLog, { idleMs: NEVER_MS, activity })
    await turns.reached(2)
    await periodic.stop()
  })

  it('tries again soon after a failure', async () => {
    let tries = 0
    const turns = countTurns([0])
    const work = () => {
      tries += 1
      return tries === 1 ? Promise.reject(new Error('once')) : turns.work()
    }
    const quiet = { idleMs: NEVER_MS, activity: openActivity() }
    const periodic = runPeriodically('work', 1, work, silentLog, quiet)
    await turns.reached(1)
    await periodic.stop()
    expect(tries).to.equal(2)
  })

  it('stays stopped whatever happens', async () => {
    const activity = openActivity()
    const turns = countTurns([0])
    const periodic = runPeriodically('work', 1, turns.work, silentLog, { idleMs: NEVER_MS, activity })
    await turns.reached(1)
    await periodic.stop()
    activity.happened()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(turns.done()).to.equal(1)
  })
})

/** Work that answers these, one a turn, and 0 afterwards. */
function countTurns(answers: readonly unknown[]) {
  let done = 0
  const waiting: { turns: number; resolve: () => void }[] = []
  return {
    done: () => done,
    async work() {
      const answer = done < answers.length ? answers[done] : 0
      done += 1
      for (const { turns, resolve } of waiting) if (done >= turns) resolve()
      return answer
    },
    reached: (turns: number) =>
      done >= turns ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ turns, resolve })),
  }
}
