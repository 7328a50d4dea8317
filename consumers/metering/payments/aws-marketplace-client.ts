import {
  BatchMeterUsageCommand,
  MarketplaceMeteringClient,
  MarketplaceMeteringServiceException,
  type UsageRecord,
} from '@aws-sdk/client-marketplace-metering'

/** One quantity of one dimension in one hour, under one agreement. */
export type MeterRecord = {
  licenseArn: string
  customerAccount: string
  dimension: string
  timestamp: Date
  quantity: bigint
}
export type MeterStatus = 'Success' | 'CustomerNotSubscribed' | 'DuplicateRecord'
/** What became of each record, in their order; null where AWS has not got round to it. */
export type MeterResult = { status: MeterStatus; recordId: string | null } | null
/** Sends up to 25 records of one product. Repeating the same is safe. Throws `MeterError`. */
export type MeterUsage = (records: readonly MeterRecord[]) => Promise<MeterResult[]>

/** `refused`: the whole call, because of something in it; `retry`: it may be taken later. */
export class MeterError extends Error {
  readonly kind: 'refused' | 'retry'
  readonly code: string

  constructor(kind: MeterError['kind'], code: string, cause?: unknown) {
    super(`${kind}: ${code}`, cause === undefined ? {} : { cause })
    this.kind = kind
    this.code = code
  }
}

const TIMEOUT_MS = 20_000
/** What is wrong with the installation or with AWS, and not with a record. */
const NOT_THE_RECORDS =
  /Throttling|TooManyRequests|InternalService|ServiceUnavailable|DisabledApi|AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken|RequestExpired/

/**
 * The gateway to AWS Marketplace Metering; credentials are those the SDK finds (environment, profile or role of the
 * machine). `endpoint` stands in for AWS in tests. The one file that knows the SDK.
 */
export function openAwsMetering(options: { region: string; endpoint?: string | undefined }): MeterUsage {
  const client = new MarketplaceMeteringClient({
    region: options.region,
    // Repeating is ours: it has to outlive the process.
    maxAttempts: 1,
    requestHandler: { requestTimeout: TIMEOUT_MS, connectionTimeout: TIMEOUT_MS },
    ...(options.endpoint === undefined ? {} : { endpoint: checkedEndpoint(options.endpoint) }),
  })
  return async (records) => {
    try {
      // Without a product code: with it and the agreement's name AWS would bill twice.
      const answer = await client.send(new BatchMeterUsageCommand({ UsageRecords: records.map(usageOf) }))
      const results = new Map(
        (answer.Results ?? []).flatMap(({ UsageRecord: of, Status, MeteringRecordId }) =>
          of && Status ? [[keyOf(of), { status: Status, recordId: MeteringRecordId ?? null }] as const] : [],
        ),
      )
      return records.map((record) => results.get(keyOf(usageOf(record))) ?? null)
    } catch (error) {
      throw failureOf(error)
    }
  }
}

const usageOf = (record: MeterRecord): UsageRecord => ({
  Timestamp: record.timestamp,
  LicenseArn: record.licenseArn,
  CustomerAWSAccountId: record.customerAccount,
  Dimension: record.dimension,
  Quantity: Number(record.quantity),
})

const keyOf = ({ LicenseArn, CustomerAWSAccountId, Dimension, Timestamp }: UsageRecord): string =>
  JSON.stringify([LicenseArn, CustomerAWSAccountId, Dimension, Timestamp?.getTime()])

function failureOf(error: unknown): MeterError {
  const name = error instanceof Error ? error.name.replace(/[^A-Za-z0-9]/g, '') : 'unknown'
  const refused =
    error instanceof MarketplaceMeteringServiceException &&
    error.$fault === 'client' &&
    error.$metadata.httpStatusCode !== 429 &&
    !NOT_THE_RECORDS.test(name)
  return new MeterError(refused ? 'refused' : 'retry', `aws_${name.slice(0, 100)}`, error)
}

function checkedEndpoint(endpoint: string): string {
  const { protocol, hostname } = new URL(endpoint)
  if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new Error('ATOM_AWS_ENDPOINT must be https, or on this machine')
  return endpoint
}
