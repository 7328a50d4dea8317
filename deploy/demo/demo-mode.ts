import type { Principal } from '../../platform/auth/principal.ts'
import { developmentIssuerOn } from '../issuers.ts'
import type { AtomSettings } from '../settings.ts'

export type DemoMode = { organisations: boolean; visitor: Principal | null }
export class DemoRefused extends Error {}

/** Who a request without a credential is, on a laptop: read-only, of tenant `demo`. */
const VISITOR: Principal = { org: 'demo', subject: 'visitor', roles: [], scopes: ['read'], kind: 'visitor' }

/** Whether this process has demo organisations and a visitor. Throws `DemoRefused` where a visitor would be exposed. */
export function demoMode(
  settings: Pick<AtomSettings, 'demo' | 'bind' | 'nodeEnv' | 'devIssuer' | 'oidcIssuers'>,
): DemoMode {
  const { demo, bind, nodeEnv } = settings
  if (!developmentIssuerOn(settings)) {
    if (demo === 'off' || demo === 'auto') return { organisations: false, visitor: null }
    throw new DemoRefused(
      `ATOM_DEMO=${demo} needs the built-in issuer, whose tokens the demo organisations have: ATOM_DEV_ISSUER=on`,
    )
  }
  const safe = isLoopback(bind) && nodeEnv !== 'production'
  switch (demo) {
    case 'off':
      return { organisations: false, visitor: null }
    case 'seed':
      return { organisations: true, visitor: null }
    case 'auto':
      return safe ? { organisations: true, visitor: VISITOR } : { organisations: false, visitor: null }
    case 'on':
      if (safe) return { organisations: true, visitor: VISITOR }
      throw new DemoRefused(
        'ATOM_DEMO=on lets anybody read as the demo visitor: only on a loopback address and not with NODE_ENV=production',
      )
    default:
      throw new DemoRefused(`ATOM_DEMO is auto, on, seed or off, not ${demo}`)
  }
}

const isLoopback = (address: string): boolean => /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(address)
