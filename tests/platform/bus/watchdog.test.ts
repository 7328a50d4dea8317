import { expect } from 'chai'
import fc from 'fast-check'
import { type Patience, type Sample, type Watch, watchdog } from '../../../platform/bus/watchdog.ts'
import { holds } from '../../support/property.ts'

const patience: Patience = { fetchMs: 30, applyMs: 300 }
type Step = {
  after: number
  sign: boolean
  applying: boolean
  stopped: boolean
  behind: [number, number] | null
  places?: [number, number]
}

/** The samples of a life, one after the other, and when the watchdog would have replaced the member. */
function live(steps: readonly Step[]): { samples: Sample[]; restarts: number[] } {
  let watch: Watch | null = null
  let at = 0
  let signs = 0
  const samples: Sample[] = []
  const restarts: number[] = []
  for (const [n, { after, sign, applying, stopped, behind, places = [] }] of steps.entries()) {
    at += after
    signs += sign ? 1 : 0
    const waiting = behind && new Map(behind.map((events, partition) => [`t/${partition}`, events]))
    const at_ = new Map(places.map((place, partition) => [`t/${partition}`, String(place)]))
    const sample = { at, signs, applying, stopped, behind: waiting, places: at_ }
    const found = watchdog(watch, sample, patience)
    watch = found.watch
    samples.push(sample)
    if (found.restart) restarts.push(n)
  }
  return { samples, restarts }
}

const step = (more: Partial<Step> = {}): Step => ({
  after: 5,
  sign: false,
  applying: false,
  stopped: false,
  behind: [3, 0],
  ...more,
})
const behind = fc.option(fc.tuple(fc.nat(5), fc.nat(5)), { nil: null })
const anyStep: fc.Arbitrary<Step> = fc.record({
  after: fc.nat(40),
  sign: fc.boolean(),
  applying: fc.boolean(),
  stopped: fc.boolean(),
  behind,
})
const lives = (bend: (one: Step) => Step) => fc.array(anyStep.map(bend), { maxLength: 60 })
const restartsNever = (bend: (one: Step) => Step) =>
  holds(fc.property(lives(bend), (steps) => expect(live(steps).restarts).to.deep.equal([]) && undefined))

describe('platform/bus/watchdog', () => {
  it('leaves a member alone that gives signs, however slow it is and however far behind', () =>
    restartsNever((one) => ({ ...one, sign: true })))

  it('leaves a member of a stopped group alone', () => restartsNever((one) => ({ ...one, stopped: true })))

  it('leaves a member alone that has nothing to do', () =>
    restartsNever((one) => ({ ...one, behind: one.behind && [0, 0] })))

  it('does nothing while nobody can tell how far behind the group is', () =>
    restartsNever((one) => ({ ...one, behind: null })))

  it('leaves a member alone whose partitions get emptier: another one works', () =>
    holds(
      fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
        const falling = steps.map((one, n) => ({ ...one, behind: [60 - n, 0] as [number, number] }))
        expect(live(falling).restarts).to.deep.equal([])
      }),
    ))

  it('restarts only after a silence that is long enough, of a group that runs and is behind', () =>
    holds(
      fc.property(
        lives((one) => one),
        (steps) => {
          const { samples, restarts } = live(steps)
          for (const n of restarts) {
            const now = samples[n] as Sample
            const limit = now.applying ? patience.applyMs : patience.fetchMs
            expect(now.stopped).to.equal(false)
            expect([...(now.behind?.values() ?? [])].some((events) => events > 0)).to.equal(true)
            const silent = samples.slice(0, n + 1).filter(({ at }) => at > now.at - limit)
            expect(new Set(silent.map(({ signs }) => signs)).size).to.equal(1)
            expect(silent.some(({ stopped }) => stopped)).to.equal(false)
          }
        },
      ),
      500,
    ))

  it('restarts every member that stays silent while its events wait, once per patience', () => {
    const silent = Array.from({ length: 20 }, () => step())
    expect(live(silent).restarts).to.deep.equal([6, 12, 18])
    const applying = Array.from({ length: 130 }, () => step({ applying: true }))
    expect(live(applying).restarts).to.deep.equal([60, 120])
  })

  it('sees that a member hangs although another one empties its own partition', () => {
    const steps = Array.from({ length: 8 }, (_, n) => step({ behind: [20 - n, 2] }))
    expect(live(steps).restarts).to.deep.equal([6])
  })

  it('sees that one partition stands still although its member gives signs for the other', () => {
    const steps = Array.from({ length: 130 }, (_, n) => step({ sign: true, behind: [20, 2], places: [n, 7] }))
    expect(live(steps).restarts).to.deep.equal([61, 122])
  })

  it('leaves a member alone that is slow with one batch while everything else waits for it', () => {
    const steps = Array.from({ length: 400 }, (_, n) =>
      step({ sign: true, behind: [20, 2], places: [n < 300 ? 1 : 2, 7] }),
    )
    expect(live(steps).restarts).to.deep.equal([])
  })

  it('leaves a member alone whose partitions all move, are empty, or cannot be looked at', () =>
    holds(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (tellings) => {
        const steps = tellings.map((told, n) =>
          step({ sign: true, behind: told ? [20, 0] : null, places: [Math.floor(n / 50), 7] }),
        )
        expect(live(steps).restarts).to.deep.equal([])
      }),
    ))

  it('begins anew when the clock was set back', () => {
    expect(live([step(), step(), step({ after: -1_000 }), step({ after: 20 }), step()]).restarts).to.deep.equal([])
  })
})
