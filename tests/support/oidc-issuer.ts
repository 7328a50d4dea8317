import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Clock } from '../../platform/clock.ts'

export type IssuerKey = { kid: string; alg: string; privateKey: CryptoKey; publicJwk: JWK }
export type OidcIssuer = Awaited<ReturnType<typeof startOidcIssuer>>

/** A key pair as an issuer has it. */
export async function issuerKey(kid: string, alg = 'ES256'): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** An OIDC issuer on a port of this machine: discovery, keys that can be exchanged, and tokens of them. */
export async function startOidcIssuer(now: Clock, ...first: IssuerKey[]) {
  let keys = first
  let mode: 'up' | 'down' | 'junk' | 'huge' | 'redirect' | 'other issuer' = 'up'
  const fetched = { discovery: 0, keys: 0 }
  const json = (res: ServerResponse, body: unknown) =>
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  const server = createServer((req, res) => {
    if (req.url === '/realm/.well-known/openid-configuration') {
      fetched.discovery += 1
      if (mode === 'down') res.writeHead(503).end()
      else if (mode === 'redirect') res.writeHead(302, { location: '/elsewhere' }).end()
      else json(res, { issuer: mode === 'other issuer' ? 'https://evil.test' : url, jwks_uri: `${url}/keys` })
    } else if (req.url === '/realm/keys') {
      fetched.keys += 1
      if (mode === 'junk') res.writeHead(200).end('<html>')
      else if (mode === 'huge') res.writeHead(200).end(Buffer.alloc(300_000, ' '))
      else json(res, { keys: keys.map(({ publicJwk }) => publicJwk) })
    } else res.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm`
  const seconds = () => Math.floor(now().getTime() / 1000)

  return {
    url,
    fetched,
    rotate: (...to: IssuerKey[]) => {
      keys = to
    },
    become: (to: typeof mode) => {
      mode = to
    },
    /** A token of the newest key, with what is given in place of what is right; `undefined` leaves a claim out. */
    token(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = keys.at(-1) as IssuerKey) {
      const usual = { iss: url, aud: 'atom', sub: 'ada', iat: seconds(), exp: seconds() + 300 }
      const payload = Object.fromEntries(
        Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined),
      )
      return new SignJWT(payload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
        .sign(key.privateKey)
    },
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
