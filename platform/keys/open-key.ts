import { readFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { keyError } from './errors.ts'
import { openFileKey } from './file-key.ts'
import type { SigningKey } from './signing-key.ts'
import { openVault } from './vault/vault-http.ts'
import { vaultKey } from './vault/vault-key.ts'
import { type Login, openSession, type Schedule } from './vault/vault-session.ts'

/** Where a key is kept, as the settings say. Without `vaultAddr` it is a file. */
export type KeySettings = {
  vaultAddr: string | undefined
  vaultNamespace: string | undefined
  vaultCaFile: string | undefined
  vaultToken: string | undefined
  vaultTokenFile: string | undefined
  vaultRoleId: string | undefined
  vaultSecretId: string | undefined
  vaultSecretIdFile: string | undefined
  vaultTransitMount: string
  vaultKey: string
}
export type OpenKey = {
  key: SigningKey
  /** Asks where the key is kept whether it could sign now; says where that is. Throws an error of `keyError`. */
  check(): Promise<string>
  close(): void
}
type Deps = { now: Clock; log: Log; schedule?: Schedule; callTimeoutMs?: number }

const withTimer: Schedule = (ms, work) => {
  const timer = setTimeout(work, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

/**
 * Opens the key in `folder`, or the one in Vault or OpenBao. A store that is sealed or away is no reason not to start;
 * settings that cannot be right are.
 */
export async function openKey(folder: string, settings: KeySettings, deps: Deps): Promise<OpenKey> {
  const { vaultAddr: address } = settings
  if (address === undefined) {
    const key = await openFileKey(folder)
    const check = async () => `in a file, ${(await key.publicKeys()).length} version(s)`
    return { key, check, close: () => {} }
  }
  const { vaultNamespace: namespace, vaultCaFile: caFile } = settings
  const { now, log, schedule = withTimer, callTimeoutMs } = deps
  const login = loginOf(settings)
  const vault = openVault({
    address,
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(callTimeoutMs === undefined ? {} : { callTimeoutMs }),
  })
  const session = openSession({ vault, login, schedule, log })
  const mount = settings.vaultTransitMount.replace(/^\/+|\/+$/g, '')
  const key = vaultKey({ vault, session, mount, name: settings.vaultKey, now })
  return {
    key,
    check: async () => `in a key store, ${await key.ask()} version(s)`,
    close() {
      session.close()
      vault.close()
    },
  }
}

/** Exactly one way to log in, so that nobody is in doubt about which one is used. */
function loginOf(settings: KeySettings): Login {
  const { vaultToken, vaultTokenFile, vaultRoleId, vaultSecretId, vaultSecretIdFile } = settings
  if ([vaultToken, vaultTokenFile, vaultRoleId].filter((one) => one !== undefined).length !== 1)
    throw new Error(
      'ATOM_VAULT_ADDR needs exactly one of ATOM_VAULT_TOKEN, ATOM_VAULT_TOKEN_FILE and ATOM_VAULT_ROLE_ID',
    )
  if (vaultRoleId === undefined) return { kind: 'token', read: secret(vaultToken, vaultTokenFile) }
  if ((vaultSecretId === undefined) === (vaultSecretIdFile === undefined))
    throw new Error('ATOM_VAULT_ROLE_ID needs ATOM_VAULT_SECRET_ID or ATOM_VAULT_SECRET_ID_FILE')
  return { kind: 'approle', roleId: vaultRoleId, readSecretId: secret(vaultSecretId, vaultSecretIdFile) }
}

const secret =
  (text: string | undefined, file: string | undefined): (() => Promise<string>) =>
  async () => {
    if (text !== undefined) return text
    const content = await readFile(file as string, 'utf8').catch((cause: unknown) => {
      throw keyError('key_store_denied', 'the file with the credential for the key store cannot be read', { cause })
    })
    return content.trim()
  }
