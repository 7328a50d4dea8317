import { readFileSync, rmSync } from 'node:fs'
import { startFakeBilling } from './fake-billing.ts'
import { startFakeMarketplace } from './fake-marketplace.ts'
import { type Credentials, makeCredentials } from './fake-organisations.ts'

/** Where the SDK's tests publish and report, and as whom. */
export interface Target {
  marketApi: string
  billingApi: string
  /** The tenant whose invoice is read and whose usage is reported. */
  tenant: string
  apiKey: string
  tenantToken: string
  reviewerToken: string
  /** Signs what `apiKey` publishes. */
  privateKeyPath: string
  keyId: string
  /** Another organisation, to which the first one's things do not exist. */
  otherApiKey: string
  otherPrivateKeyPath: string
  close: () => Promise<void>
}

/**
 * The services under test: running ones when ATOM_SDK_CREDENTIALS names their `dev/credentials.json` (with MARKET_API
 * and ATOM_BILLING_API where they are not on their usual ports), else fakes of their own.
 */
export async function openTarget(): Promise<Target> {
  const path = process.env.ATOM_SDK_CREDENTIALS
  if (path) {
    const credentials = JSON.parse(readFileSync(path, 'utf8')) as Credentials
    const marketApi = process.env.MARKET_API ?? 'http://127.0.0.1:8050'
    const billingApi = process.env.ATOM_BILLING_API ?? 'http://127.0.0.1:8060'
    return targetOf(credentials, marketApi, billingApi, async () => {})
  }
  const credentials = makeCredentials()
  const market = await startFakeMarketplace(credentials)
  const billing = await startFakeBilling(credentials, () => new Date())
  return targetOf(credentials, market.url, billing.url, async () => {
    await Promise.all([market.close(), billing.close()])
    rmSync(credentials.folder, { recursive: true })
  })
}

function targetOf({ orgs }: Credentials, marketApi: string, billingApi: string, close: () => Promise<void>): Target {
  return {
    marketApi,
    billingApi,
    tenant: 'demo',
    apiKey: orgs.demo.api_key,
    tenantToken: orgs.demo.tokens.tenant ?? '',
    reviewerToken: orgs.atom.tokens.reviewer ?? '',
    privateKeyPath: orgs.demo.private_key_path,
    keyId: orgs.demo.key_id,
    otherApiKey: orgs.acme.api_key,
    otherPrivateKeyPath: orgs.acme.private_key_path,
    close,
  }
}
