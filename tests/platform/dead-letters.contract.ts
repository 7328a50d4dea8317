import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { toRecord } from '../../platform/bus/binary-mode.ts'
import { lagCheck } from '../../platform/bus/lag-check.ts'
import { ok } from '../../platform/bus/outcome.ts'
import { handler, type RunningConsumer, runConsumer } from '../../platform/bus/runner.ts'
import { execute } from '../../platform/db.ts'
import { createMetrics, type Metrics } from '../../platform/metrics.ts'
import { defineEvent } from '../../schemas/define-event.ts'
import { closed } from '../../schemas/envelope.ts'
import { eventually } from '../support/eventually.ts'
import { recordingLog } from '../support/recording-log.ts'
import type { BusBackend } from './bus.contract.ts'

export const stateTopic = {
  name: 'atom.state',
  partitions: 4,
  retentionDays: 1,
  key: 'key',
  owner: 'tests',
  keyedState: true,
}
const changed = defineEvent({
  type: 'state.changed',
  version: 1,
  topic: stateTopic,
  description: 'A state.',
  data: closed({ key: Type.String(), n: Type.Integer() }),
  key: (one) => one.key,
  example: { key: 'a', n: 1 },
})

/** What happens to events that cannot be applied, on both backends: keys wait, groups stop, both go on again. */
export function deadLetterContract(name: string, open: () => Promise<BusBackend>): void {
  describe(`dead letter contract: ${name}`, () => {
    let backend: BusBackend
    let running: RunningConsumer[]
    let metrics: Metrics
    let poison: (thing: { key: string; n: number }) => boolean
    let made = 0
    beforeEach(async () => {
      backend = await open()
      running = []
      metrics = createMetrics()
      poison = () => false
    })
    afterEach(async () => {
      await Promise.all(running.map((one) => one.stop()))
      await backend.close()
    })

    const send = (...things: [string, number][]) =>
      backend.bus.produce(
        things.map(([key, n]) =>
          toRecord(changed.create({ key, n }, { source: '//test', now: new Date(), id: `s-${++made}` }), stateTopic),
        ),
      )
    async function run(backoffMs: number[] = []): Promise<RunningConsumer> {
      const record = handler({
        name: 'contract.state',
        on: changed,
        emits: [],
        async handle({ data }, tx) {
          await execute(tx, 'insert into public.effects (key, n) values (?, ?)', [data.key, data.n])
          if (poison(data)) throw Object.assign(new Error('poison'), { retriable: false, code: 'poisoned' })
          return ok()
        },
      })
      const { bus, db } = backend
      const options = { group: 'state', handlers: [record], redriveMs: 5, backoffMs, now: () => new Date() }
      const one = await runConsumer({ bus, db, log: recordingLog().log, metrics, ...options })
      running.push(one)
      return one
    }
    const drained = (one: RunningConsumer) =>
      eventually('all is read', async () => (await one.lag()).every(({ records }) => records === 0), 20_000)
    const applied = async () =>
      (await backend.owner.query<{ key: string; n: number }>('select key, n from public.effects order by at')).map(
        (one) => `${one.key}${one.n}`,
      )
    const letters = async () =>
      (
        await backend.owner.query<{ key: string; code: string }>(
          'select key, code from platform.dead_letters order by seq',
        )
      ).map(({ key, code }) => `${key} ${code}`)
    const ask = () =>
      backend.owner.query("update platform.dead_letters set redrive_requested_at = now() where code = 'poisoned'")
    const none = () => eventually('no letter is left', async () => (await letters()).length === 0)

    describe('a key of a state topic', () => {
      it('waits behind its dead letter while others go on, and is released in order', async () => {
        poison = ({ key, n }) => key === 'a' && n === 2
        await send(['a', 1], ['a', 2], ['b', 1], ['a', 3], ['a', 4], ['b', 2])
        const one = await run()
        await drained(one)
        await send(['a', 5], ['b', 3])
        await drained(one)
        expect((await applied()).filter((of) => of.startsWith('a'))).to.deep.equal(['a1'])
        expect((await applied()).filter((of) => of.startsWith('b'))).to.deep.equal(['b1', 'b2', 'b3'])
        expect(await letters()).to.deep.equal(['a poisoned', ...Array(3).fill('a parked_behind')])
        poison = () => false
        await ask()
        await none()
        expect((await applied()).filter((of) => of.startsWith('a'))).to.deep.equal(['a1', 'a2', 'a3', 'a4', 'a5'])
        await send(['a', 6])
        await drained(one)
        expect((await applied()).at(-1)).to.equal('a6')
        expect(await metrics.text()).to.match(/atom_events_total\{[^}]*outcome="parked"\} 3/)
      })

      it('goes on when its dead letter is given up', async () => {
        poison = ({ n }) => n === 1
        await send(['a', 1], ['a', 2], ['a', 3])
        await drained(await run())
        expect(await letters()).to.have.length(3)
        await backend.owner.query("delete from platform.dead_letters where code = 'poisoned'")
        await none()
        expect(await applied()).to.deep.equal(['a2', 'a3'])
      })

      it('waits again behind the next one that fails', async () => {
        poison = ({ n }) => n < 3
        await send(['a', 1], ['a', 2], ['a', 3])
        await drained(await run())
        poison = ({ n }) => n === 2
        await ask()
        await eventually('the second failed', async () => String(await letters()) === 'a poisoned,a parked_behind')
        expect(await letters()).to.deep.equal(['a poisoned', 'a parked_behind'])
        expect(await applied()).to.deep.equal(['a1'])
        poison = () => false
        await ask()
        await none()
        expect(await applied()).to.deep.equal(['a1', 'a2', 'a3'])
      })
    })

    describe('a group', () => {
      it('tells how far it is behind in each partition, and how often it tried again', async () => {
        let left = 2
        poison = () => {
          if (left-- > 0) throw new Error('not yet')
          return false
        }
        await send(['a', 1])
        await drained(await run([1, 1]))
        expect(await applied()).to.deep.equal(['a1'])
        const text = await eventually('it is measured', async () => {
          const found = await metrics.text()
          return found.includes('atom_consumer_lag_seconds{') && found
        })
        expect(text).to.contain('atom_event_retries_total{group="state"} 2')
        for (const partition of [0, 1, 2, 3])
          expect(text).to.match(
            new RegExp(`atom_consumer_lag_records\\{group="state",topic="atom.state",partition="${partition}"\\} \\d`),
          )
      })

      const many = (from: number, to: number): [string, number][] =>
        Array.from({ length: to - from + 1 }, (_, at) => [`k${from + at}`, from + at])

      it('stops after 20 dead letters in a row, says why, and goes on when told to', async () => {
        poison = () => true
        await send(...many(1, 60))
        const one = await run()
        const reason = await eventually('it stops', () => one.stopped(), 20_000)
        expect(reason).to.equal('20 events in a row could not be applied')
        const { code, detail } = { code: '', ...(await lagCheck('consumer', one).run()) }
        expect([code, detail]).to.deep.equal(['group_stopped', `stopped: ${reason}`])
        expect(await metrics.text()).to.contain('atom_consumer_stopped{group="state"} 1')
        expect(await letters()).to.have.length(20)
        poison = () => false
        await backend.owner.query('delete from platform.group_stops')
        await eventually('it goes on', () => one.stopped() === null)
        await drained(one)
        expect(await applied()).to.have.length(40)
        expect(await letters()).to.have.length(20)
        expect(await metrics.text()).to.contain('atom_consumer_stopped{group="state"} 0')
      })

      it('goes on when its process is started again', async () => {
        poison = () => true
        await send(...many(1, 30))
        const one = await run()
        await eventually('it stops', () => one.stopped(), 20_000)
        await one.stop()
        poison = () => false
        await drained(await run())
        expect(await applied()).to.have.length(10)
        expect(await backend.owner.query('select 1 from platform.group_stops')).to.deep.equal([])
      })
    })
  })
}
