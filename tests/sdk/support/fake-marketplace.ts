import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { isWpk, type Wpk, wpkProblems } from '../../../schemas/wpk.ts'
import { type Credentials, type Principal, principalOf, requireRole } from './fake-organisations.ts'
import { answer, answerProblem, Problem } from './fake-problem.ts'
import { bodyOf, type LocalServer, startLocalServer } from './local-server.ts'

interface Version {
  id: string
  publisher: string
  digest: string
  status: string
  wpk: Wpk
}

interface Upload {
  content: string
  content_encoding?: 'utf8' | 'base64'
  media_type?: string
  bundle?: { messageSignature?: { signature?: string }; verificationMaterial?: { publicKey?: { hint?: string } } }
  signature?: string
  key_id?: string
}

const SEEDED = 5
const DEFAULT_LIMIT = 50
// Analysis and publication happen behind the caller's back; here each look at a version moves it one step on.
const NEXT_STATUS: Record<string, string> = { submitted: 'scanning', scanning: 'in_review', approved: 'published' }

/** The marketplace's calls of contract.md that the SDKs use, in memory, with real signature checks. */
export async function startFakeMarketplace(credentials: Credentials): Promise<LocalServer> {
  const versions: Version[] = seed()
  return startLocalServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake')
    const call = `${request.method} ${url.pathname}`
    try {
      const body = await bodyOf(request)
      const principal = principalOf(credentials, request.headers.authorization)
      if (call === 'POST /wpk/upload') {
        const { status, version } = upload(credentials, versions, principal, body)
        const name = version.wpk.metadata.name
        const shown = { id: version.id, name, version: version.wpk.metadata.version, digest: version.digest }
        const status_url = `/wpk/${version.id}`
        answer(response, status, { ...shown, status: version.status, status_url, expected_decision_at: null })
      } else if (call === 'GET /wpk/list') {
        answer(response, 200, list(versions, principal, url.searchParams))
      } else if (request.method === 'POST' && url.pathname.startsWith('/wpk/review/')) {
        answer(response, 200, review(versions, principal, decodeURIComponent(url.pathname.slice(12)), body))
      } else if (request.method === 'GET' && /^\/wpk\/[^/]+\/verdict$/.test(url.pathname)) {
        const found = find(versions, principal, decodeURIComponent(url.pathname.split('/')[2] ?? ''))
        answer(response, 200, { risk_score: 0.12, decision: 'pass', violations: [], digest: found.digest })
      } else if (request.method === 'GET' && /^\/wpk\/[^/]+$/.test(url.pathname)) {
        const found = find(versions, principal, decodeURIComponent(url.pathname.slice(5)))
        answer(response, 200, summary(found))
        found.status = NEXT_STATUS[found.status] ?? found.status
      } else {
        throw new Problem(404, 'not_found')
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      answerProblem(response, url.pathname, error)
    }
  })
}

function seed(): Version[] {
  return Array.from({ length: SEEDED }, (_, index) => ({
    id: randomUUID(),
    publisher: 'acme',
    digest: `sha256:${createHash('sha256').update(String(index)).digest('hex')}`,
    status: 'published',
    wpk: {
      apiVersion: 'v1',
      kind: 'WorkflowPackage',
      metadata: { name: `seeded-${index}`, version: '1.0.0' },
      spec: { handlers: [] },
    },
  }))
}

function upload(credentials: Credentials, versions: Version[], caller: Principal | undefined, body: Buffer) {
  const { org } = requireRole(caller, ['partner', 'publish'])
  const given = JSON.parse(body.toString('utf8')) as Upload
  const bytes = Buffer.from(given.content, given.content_encoding ?? 'utf8')
  checkSignature(credentials, org, given, bytes)
  const wpk = parsePackage(bytes, given.media_type)
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const same = versions.find((version) => version.digest === digest && version.publisher === org)
  if (same) return { status: 200, version: same }
  const named = versions.filter((version) => version.wpk.metadata.name === wpk.metadata.name)
  if (named.some((version) => version.publisher !== org)) throw new Problem(403, 'name_taken')
  if (named.some((version) => version.wpk.metadata.version === wpk.metadata.version)) {
    throw new Problem(409, 'version_exists')
  }
  const version: Version = { id: randomUUID(), publisher: org, digest, status: 'submitted', wpk }
  versions.push(version)
  return { status: 202, version }
}

function checkSignature(credentials: Credentials, org: string, given: Upload, bytes: Buffer): void {
  const signature = given.bundle ? given.bundle.messageSignature?.signature : given.signature
  if (given.bundle && !signature) throw new Problem(422, 'bundle_malformed')
  if (!signature) throw new Problem(422, 'signature_missing')
  const owned = credentials.orgs[org as 'demo' | 'acme']
  const keyId = given.bundle ? given.bundle.verificationMaterial?.publicKey?.hint : given.key_id
  if (keyId !== undefined && keyId !== owned.key_id) throw new Problem(422, 'signer_not_registered')
  const key = createPublicKey(readFileSync(owned.public_key_path))
  if (!verify('sha256', bytes, key, Buffer.from(signature, 'base64'))) throw new Problem(422, 'signature_invalid')
}

function parsePackage(bytes: Buffer, mediaType: string | undefined): Wpk {
  let value: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = mediaType === 'application/yaml' ? parse(text) : JSON.parse(text)
  } catch (error) {
    throw new Problem(400, 'wpk_malformed', [{ pointer: '', code: 'parse', detail: String(error) }])
  }
  if (!isWpk(value)) throw new Problem(400, 'wpk_malformed', wpkProblems(value))
  return value
}

function list(versions: Version[], caller: Principal | undefined, query: URLSearchParams) {
  const limit = Math.min(500, Number(query.get('limit') ?? DEFAULT_LIMIT))
  const from = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString('utf8') || 0)
  const wanted = versions
    .filter((version) => isVisible(version, caller))
    .filter((version) => !query.get('status') || version.status === query.get('status'))
    .filter((version) => version.wpk.metadata.name.includes(query.get('q') ?? ''))
    .filter((version) => !query.get('publisher') || version.publisher === query.get('publisher'))
    .filter((version) => !query.get('tag') || version.wpk.metadata.tags?.includes(query.get('tag') ?? ''))
  const wpks = wanted.slice(from, from + limit).map(summary)
  const next = from + limit < wanted.length ? Buffer.from(String(from + limit)).toString('base64url') : null
  return { wpks, count: wpks.length, next }
}

function review(versions: Version[], caller: Principal | undefined, id: string, body: Buffer) {
  requireRole(caller, ['reviewer'])
  const found = find(versions, caller, id)
  const { decision, justification } = JSON.parse(body.toString('utf8')) as Record<string, string>
  if (!justification) throw new Problem(400, 'justification_missing', [{ pointer: '/justification', code: 'required' }])
  if (found.status !== 'in_review') throw new Problem(409, 'already_decided')
  const outcomes: Record<string, string> = { approve: 'approved', reject: 'rejected' }
  found.status = outcomes[decision ?? ''] ?? 'changes_requested'
  return { id, status: found.status }
}

function find(versions: Version[], caller: Principal | undefined, id: string): Version {
  const found = versions.find((version) => version.id === id)
  if (!found || !isVisible(found, caller)) throw new Problem(404, 'not_found')
  return found
}

function isVisible(version: Version, caller: Principal | undefined): boolean {
  return version.status === 'published' || caller?.org === version.publisher || caller?.org === 'atom'
}

function summary({ id, publisher, digest, status, wpk }: Version) {
  const { name, version, description = '', tags = [] } = wpk.metadata
  const published_at = status === 'published' ? '2025-03-01T00:00:00Z' : null
  return { id, name, version, publisher, description, tags, status, digest, published_at, risk_score: 0.12 }
}
