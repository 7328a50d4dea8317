import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../../platform/http/route.ts'
import { currentPolicy, policies } from '../../../schemas/policy/policy-document.ts'

/** The policy that decisions name, every version of it, for everybody: who is judged by it may read it. */
export function policyRoutes(): Route[] {
  async function list({ query, path }: Call): Promise<Answer> {
    const { limit, after } = pageRequest(query, ['integer'])
    const before = Number(after?.[0] ?? Number.MAX_SAFE_INTEGER)
    const found = [...policies].reverse().filter(({ version }) => version < before)
    const { items, next } = page(found, limit, ({ version }) => [String(version)])
    const headers = nextLink(path, query, next)
    return { status: 200, headers, body: { policies: items, current: currentPolicy.version, next } }
  }

  async function show({ params }: Call): Promise<Answer> {
    const policy = policies.find(({ version }) => String(version) === params.version)
    if (!policy) throw httpError('not_found', 'no policy of this version')
    return { status: 200, body: { ...policy, current: policy === currentPolicy } }
  }

  return [
    openGet('/policies', 'Every version of the publishing policy, newest first', list),
    openGet('/policies/:version', 'One version of the publishing policy', show),
  ]
}
