import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../platform/clock.ts'

type Sent = {
  Timestamp: number
  LicenseArn: string
  CustomerAWSAccountId: string
  Dimension: string
  Quantity: number
}
export type AwsMisbehaviour = 'throttle' | 'fail' | 'reset before' | 'reset after' | 'leave some'
export type FakeAws = Awaited<ReturnType<typeof startFakeAws>>

/**
 * AWS Marketplace Metering's rules: 25 records a call, 24 hours and the cut of the month for the whole call, one
 * quantity for each agreement, dimension and hour, repeats of the same taken once. Misbehaves where it is told to.
 */
export async function startFakeAws(now: Clock) {
  const honoured = new Map<string, number>()
  const script: AwsMisbehaviour[] = []
  const unsubscribed = new Set<string>()
  const unknownDimensions = new Set<string>()
  const batches: number[] = []
  let fast = 0

  function outOfBounds({ Timestamp }: Sent): boolean {
    const at = new Date(Timestamp * 1000)
    const age = now().getTime() + fast - at.getTime()
    const cut = Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1, 6)
    return age >= 86_400_000 || age < 0 || now().getTime() + fast >= cut
  }

  function meter(records: readonly Sent[], how: AwsMisbehaviour | undefined): { status: number; body: object } {
    if (how === 'throttle') return refusal('ThrottlingException')
    if (how === 'fail') return { status: 500, body: { __type: 'InternalServiceErrorException' } }
    if (records.length === 0 || records.length > 25) return refusal('ValidationException')
    if (records.some(outOfBounds)) return refusal('TimestampOutOfBoundsException')
    if (records.some(({ Dimension }) => unknownDimensions.has(Dimension)))
      return refusal('InvalidUsageDimensionException')
    if (records.some((one) => !Number.isInteger(one.Quantity) || !one.LicenseArn || !one.CustomerAWSAccountId))
      return refusal('ValidationException')
    const taken = how === 'leave some' ? records.slice(0, Math.floor(records.length / 2)) : records
    const Results = taken.map((record) => {
      const { LicenseArn, Dimension, Timestamp, Quantity } = record
      const key = JSON.stringify([LicenseArn, Dimension, Math.floor(Timestamp / 3600)])
      if (unsubscribed.has(LicenseArn)) return { UsageRecord: record, Status: 'CustomerNotSubscribed' }
      if ((honoured.get(key) ?? Quantity) !== Quantity) return { UsageRecord: record, Status: 'DuplicateRecord' }
      honoured.set(key, Quantity)
      return { UsageRecord: record, Status: 'Success', MeteringRecordId: `m-${key.length}-${honoured.size}` }
    })
    return { status: 200, body: { Results, UnprocessedRecords: records.slice(taken.length) } }
  }

  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const how = script.shift()
    if (how === 'reset before') return void req.socket.destroy()
    if (req.headers['x-amz-target'] !== 'AWSMPMeteringService.BatchMeterUsage')
      return answer(res, refusal('UnknownOperationException'))
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { UsageRecords: Sent[]; ProductCode?: string }
    batches.push(body.UsageRecords.length)
    // With both the agreement and the product AWS would bill twice.
    const result = body.ProductCode ? refusal('ValidationException') : meter(body.UsageRecords, how)
    if (how === 'reset after') return void req.socket.destroy()
    answer(res, result)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    batches,
    unsubscribed,
    unknownDimensions,
    /** What it will charge for, by agreement. */
    total: (license: string) =>
      [...honoured].reduce((sum, [key, n]) => (key.startsWith(`["${license}"`) ? sum + n : sum), 0),
    misbehave: (...hows: AwsMisbehaviour[]) => void script.push(...hows),
    /** Its clock is this much ahead of ours. */
    runFast(ms: number) {
      fast = ms
    },
    reset: () => honoured.clear(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const refusal = (type: string) => ({ status: 400, body: { __type: type, message: type } })

function answer(res: ServerResponse, { status, body }: { status: number; body: object }): void {
  res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'r-fake' })
  res.end(JSON.stringify(body))
}
