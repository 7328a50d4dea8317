import { expect } from 'chai'
import { awsCheck } from '../../../../consumers/metering/payments/aws-check.ts'
import type { AwsDeps } from '../../../../consumers/metering/payments/send-aws-usage.ts'
import { quarantineVersion } from '../../../../consumers/metering/quarantine/quarantine-version.ts'
import type { Db } from '../../../../platform/db.ts'
import type { Problem } from '../fixture.ts'
import { type AwsBilling, HOUR, LICENSE, MINUTE, mapping, openAwsBilling } from './aws-fixture.ts'

describe('consumers/metering/payments: usage for AWS Marketplace', function () {
  this.timeout(30_000)
  let aws: AwsBilling
  let billing: AwsBilling['billing']
  let fake: AwsBilling['fake']
  let deps: AwsBilling['deps']
  beforeEach(async () => {
    aws = await openAwsBilling()
    ;({ billing, fake, deps } = aws)
  })
  afterEach(() => aws.close())
  const finance = () => billing.tokens.finance
  const found = async () => (await aws.windows()).map(({ state, quantity }) => [state, quantity])

  it('goes there hour by hour, once, with what is left over carried on', async () => {
    await aws.map()
    await aws.use('2.5', '2026-10-20T10:05:00Z')
    await aws.send()
    expect(await aws.windows()).to.deep.equal([])
    billing.clock.set('2026-10-20T11:15:00Z')
    expect(await aws.send()).to.equal(1)
    expect(await aws.send()).to.equal(0)
    // Late, and without a package: then it is the tenant's oldest one.
    await aws.use('1.25', '2026-10-20T10:50:00Z', billing.tokens.acme, null)
    await aws.use('0.5', '2026-10-20T11:10:00Z')
    billing.clock.set('2026-10-20T12:15:00Z')
    await aws.send()
    expect(await found()).to.deep.equal([
      ['sent', '2'],
      ['sent', '2'],
    ])
    expect(fake.total(LICENSE)).to.equal(4)
  })

  it('stays here while its version is quarantined, and what was sent before is made up for by later usage', async () => {
    await aws.map()
    const version = 'restart-workers@1.0.0'
    await aws.use('5', '2026-10-20T10:05:00Z', billing.tokens.acme, version)
    billing.clock.set('2026-10-20T11:15:00Z')
    await aws.send()
    await aws.use('3', '2026-10-20T11:10:00Z', billing.tokens.acme, version)
    const bad = { partner: 'demo', package: 'restart-workers', version: '1.0.0', reason: 'bad' }
    await billing.deps.allTenants.transaction((tx) =>
      quarantineVersion(tx, { ...bad, cause: 'rejected', at: billing.clock() }, billing.clock()),
    )
    billing.clock.set('2026-10-20T12:15:00Z')
    await aws.send()
    expect(fake.total(LICENSE)).to.equal(5)
    await aws.use('7', '2026-10-20T12:10:00Z')
    billing.clock.set('2026-10-20T13:15:00Z')
    await aws.send()
    expect(fake.total(LICENSE)).to.equal(7)
  })

  it('is cut by the leader only', async () => {
    await aws.map()
    await aws.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T12:00:00Z')
    await aws.send({ leads: () => false })
    expect(await aws.windows()).to.deep.equal([])
  })

  it('is recorded and not sent while metering is off', async () => {
    await aws.map()
    await aws.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T12:00:00Z')
    await aws.send({ meterUsage: null })
    expect(await found()).to.deep.equal([['dry_run', '3']])
    expect((await awsCheck({ ...deps, meterUsage: null }).run()).detail).to.equal(
      'dry_run, nothing is sent while ATOM_AWS_METERING is off; 1 dry_run',
    )
    await aws.send()
    expect(fake.batches).to.deep.equal([])
  })

  it('goes in calls of at most 25 records', async () => {
    await aws.map()
    for (let hour = 0; hour < 30; hour++) {
      billing.clock.set(new Date(Date.parse('2026-10-20T10:59:00Z') + hour * HOUR).toISOString())
      await aws.use('1', billing.clock().toISOString())
    }
    billing.clock.set('2026-10-21T09:20:00Z')
    await aws.send()
    expect(fake.batches).to.deep.equal([23])
    billing.clock.set('2026-10-21T16:20:00Z')
    await aws.send()
    expect(fake.batches).to.deep.equal([23, 7])
    expect(fake.total(LICENSE)).to.equal(30)
  })

  describe('when something goes wrong', () => {
    beforeEach(async () => {
      await aws.map()
      await aws.map(mapping('globex', `${LICENSE}-globex`))
      await aws.use('3', '2026-10-20T10:05:00Z')
      await aws.use('4', '2026-10-20T10:05:00Z', billing.tokens.globex)
      billing.clock.set('2026-10-20T11:20:00Z')
    })
    const totals = () => [fake.total(LICENSE), fake.total(`${LICENSE}-globex`)]

    for (const how of ['throttle', 'fail', 'reset before', 'reset after', 'leave some'] as const)
      it(`${how}: comes again with the same quantities`, async () => {
        fake.misbehave(how)
        await aws.send()
        expect(
          (await aws.windows()).some(({ state, last_error }) => state === 'pending' && last_error !== null),
        ).to.equal(true)
        // Usage that comes meanwhile is no part of what is repeated.
        await aws.use('5', '2026-10-20T10:06:00Z')
        billing.clock.advance(HOUR)
        await aws.send()
        await aws.send()
        expect((await aws.windows()).every(({ state }) => state === 'sent')).to.equal(true)
        expect(totals()).to.deep.equal([8, 4])
      })

    it('a customer without agreement: failed, and the others are sent; sent again when finance says so', async () => {
      fake.unsubscribed.add(LICENSE)
      await aws.send()
      expect(totals()).to.deep.equal([0, 4])
      const { body } = await aws.service.call<{ windows: { id: string; last_error: string }[] }>(
        'GET',
        '/billing/aws/windows?state=failed',
        { as: finance() },
      )
      expect(body.windows.map(({ last_error }) => last_error)).to.deep.equal(['aws_CustomerNotSubscribed'])
      fake.unsubscribed.clear()
      const path = `/billing/aws/windows/${body.windows[0]?.id}/retry`
      expect((await aws.service.call('POST', path, { as: finance() })).status).to.equal(202)
      await aws.send()
      expect(totals()).to.deep.equal([3, 4])
      expect((await aws.service.call<Problem>('POST', path, { as: finance() })).body.code).to.equal(
        'payment_not_retriable',
      )
    })

    it('another quantity for the hour is there already: failed', async () => {
      await aws.send()
      billing.clock.advance(MINUTE)
      await billing.owner(
        "update metering.aws_windows set state = 'pending', quantity = quantity + 1 where tenant = 'acme'",
      )
      await aws.send()
      expect((await aws.windows()).map(({ last_error }) => last_error)).to.deep.equal(['aws_DuplicateRecord', null])
    })

    it('one record has the whole call refused: it alone fails', async () => {
      await aws.map({ ...mapping('globex', `${LICENSE}-globex`), dimensions: { runs: 'gone' } })
      fake.unknownDimensions.add('gone')
      await aws.send()
      const failed = (await aws.windows()).filter(({ state }) => state === 'failed')
      expect(failed.map(({ last_error }) => last_error)).to.deep.equal(['aws_InvalidUsageDimensionException'])
      expect(totals()).to.deep.equal([3, 0])
    })

    it('its clock is ahead, so that it refuses what we would not: that record alone fails', async () => {
      billing.clock.set('2026-10-21T09:50:00Z')
      await aws.use('7', '2026-10-21T08:00:00Z')
      fake.runFast(20 * MINUTE)
      await aws.send()
      expect(await found()).to.deep.equal([
        ['failed', '3'],
        ['failed', '4'],
        ['sent', '7'],
      ])
      expect(totals()).to.deep.equal([7, 0])
    })

    it('a day has passed: expired, and not sent where it would have the whole call refused', async () => {
      billing.clock.set('2026-10-21T10:00:00Z')
      await aws.use('7', '2026-10-21T08:00:00Z')
      await aws.send()
      expect((await aws.windows()).map(({ state, last_error }) => [state, last_error])).to.deep.equal([
        ['expired', 'too_late'],
        ['expired', 'too_late'],
        ['sent', null],
      ])
      expect(fake.batches).to.deep.equal([1])
    })

    it('the process dies at any await: the next one sends the same, once', async () => {
      for (const after of [false, true])
        for (let n = 1; ; n++) {
          let left = n
          const mortal = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
            return async (...args: A): Promise<R> => {
              left -= 1
              if (left < 0 || (left === 0 && !after)) throw new Error('dead')
              const result = await work(...args)
              if (left <= 0) throw new Error('dead')
              return result
            }
          }
          const db = deps.allTenants
          const dying: Db = {
            ...db,
            transaction: mortal(db.transaction) as Db['transaction'],
            query: mortal(db.query) as Db['query'],
          }
          await aws
            .send({
              allTenants: dying,
              meterUsage: mortal(deps.meterUsage as NonNullable<AwsDeps['meterUsage']>),
            })
            .catch(() => {})
          if (left > 0) {
            expect(n).to.be.greaterThan(6)
            break
          }
          billing.clock.advance(10_000)
          await aws.send()
          expect(totals(), `dead at ${n}`).to.deep.equal([3, 4])
          expect(await found()).to.deep.equal([
            ['sent', '3'],
            ['sent', '4'],
          ])
          fake.reset()
          await billing.owner('truncate metering.aws_windows')
          await billing.owner('update metering.aws_products set planned_until = since')
        }
    })
  })
})
