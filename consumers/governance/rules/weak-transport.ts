import type { Fact } from '../facts.ts'
import { hostOf, isLocalHost, isVariableHost } from '../hosts.ts'
import { at } from '../manifests.ts'
import type { PackageView } from '../package-view.ts'
import { secretVariable } from '../sensitive-sources.ts'
import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, inFields, isOff, isOn, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

const CODE: readonly CodePattern[] = [
  {
    pattern:
      /\bverify\s?=\s?False|rejectUnauthorized["']?\s?:\s?false|_create_unverified_context|CERT_NONE|VERIFY_NONE|AutoAddPolicy|InsecureSkipVerify\s?:\s?true|NODE_TLS_REJECT_UNAUTHORIZED["'\]]{0,3}\s?=\s?["']?0|check_hostname\s?=\s?False|-SkipCertificateCheck|strictSSL["']?\s?:\s?false/,
    sign: sign('the peer is not verified', 'medium', 'low'),
  },
]
const SWITCHES: [RegExp, RegExp][] = [
  [/^curl$/, /(?:^| )(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure|--proxy-insecure)(?: |$)/],
  [/^wget$/, /--no-check-certificate/],
  [
    /^(?:ssh|scp|sftp|rsync|ssh-copy-id|git)$/,
    /StrictHostKeyChecking[= ]?(?:no|off)|UserKnownHostsFile[= ]\/dev\/null/i,
  ],
  [/^git$/, /http\.sslVerify[= ]false/i],
  [/^npm|yarn|pnpm$/, /strict-ssl[= ]false/],
  [/^(?:pip3?|python3?)$/, /--trusted-host/],
  [
    /^(?:docker|podman|skopeo|buildah|dockerd|crane)$/,
    /--(?:src-|dest-)?tls-verify=false|--insecure(?:-registry)?\b|--tls=false/,
  ],
  [
    /^(?:kubectl|helm|oc|argocd|vault|mc)$/,
    /^(?:(?! exec | run | -- ).){0,400}(?:--insecure(?:-skip-tls-verify)?(?:=true)?(?= |$)|-tls-skip-verify|--plaintext)/,
  ],
  [
    /^(?:apt-get|apt|yum|dnf|zypper)$/,
    /--allow-unauthenticated|--nogpgcheck|--no-gpg-checks|--allow-insecure-repositories/,
  ],
]
const ENVIRONMENT =
  /^(?:GIT_SSL_NO_VERIFY|PYTHONHTTPSVERIFY|NODE_TLS_REJECT_UNAUTHORIZED|GIT_SSH_COMMAND|ANSIBLE_HOST_KEY_CHECKING|VAULT_SKIP_VERIFY|CURL_INSECURE)$/

/** WPK-P1-006: data travel in clear, or to a peer that nobody verified. */
export const weakTransport: Rule = {
  id: 'WPK-P1-006',
  version: 1,
  name: 'plain or unverified transport',
  severity: 'medium',
  about:
    'Plain `http` to hosts outside, switches that turn the verification of certificates, host keys or package signatures off, and an Ingress without TLS. Local and cluster addresses are silent. With credentials in the same call it is surer.',
  remediation: 'Use TLS and keep the verification on; add the missing CA instead.',
  hygiene: false,
  check: (view) => [...inCommands(view, judge), ...inCode(view, CODE), ...inFields(view, ofField), ...ingresses(view)],
}

function judge({ name, args, line, command }: Call) {
  const secret = args.some(
    (text) => secretVariable(text) !== null || /^(?:-u|--user|--password)$|^Authorization:/i.test(text),
  )
  if (SWITCHES.some(([program, pattern]) => program.test(name) && pattern.test(line)))
    return sign('the peer is not verified', 'medium', secret ? 'medium' : 'low')
  const off = command.assignments.find(({ text }) =>
    weakSetting(text.split('=')[0] ?? '', text.slice(text.indexOf('=') + 1)),
  )
  if (
    off !== undefined ||
    (name === 'export' && args.some((text) => weakSetting(text.split('=')[0] ?? '', text.slice(text.indexOf('=') + 1))))
  )
    return sign('verification is switched off', 'medium', 'low')
  if (name === 'ftp' && args.some((text) => /\w\.\w/.test(text))) return sign('data travel in clear', 'medium', 'low')
  if (!/^(?:curl|wget|http|git|npm|pip3?|yum|dnf|docker|helm|aria2c)$/.test(name)) return null
  const url = args.find((text) => /^http:\/\//i.test(text))
  if (url === undefined) return null
  const host = hostOf(url) ?? ''
  const script = /\.(?:sh|py|pl|rb|exe|bin|jar|deb|rpm|tgz|tar\.gz|zip)\b/.test(url)
  // A name without a dot may be a service of the cluster: only credentials or code to such a one are worth a word.
  const bare = !/[.:]/.test(host) && host !== 'localhost'
  if (isVariableHost(host) || (isLocalHost(host) && !(bare && (secret || script)))) return null
  return sign('data travel in clear', 'medium', secret ? 'medium' : 'low')
}

const weakSetting = (name: string, value: string): boolean => {
  if (!ENVIRONMENT.test(name)) return false
  if (name === 'GIT_SSH_COMMAND') return /StrictHostKeyChecking[= ]no/i.test(value)
  return /REJECT|HTTPSVERIFY|CHECKING/.test(name) ? isOff(value) : isOn(value)
}

function ofField({ kind, name, text, area }: Fact) {
  if (kind === 'env' && weakSetting(name, text)) return sign('verification is switched off', 'medium', 'low')
  if (
    /^(?:validate_certs|verify_ssl|ssl_verify|tls_verify|verify_certs|host_key_checking|gpgcheck)$/i.test(name) &&
    isOff(text)
  )
    return sign('the peer is not verified', 'medium', 'low')
  if (
    /^(?:insecure|insecure_skip_verify|insecureSkipVerify|skip_tls_verify|insecureSkipTLSVerify|allow_unauthorized|disable_gpg_check)$/i.test(
      name,
    ) &&
    isOn(text)
  )
    return sign('the peer is not verified', 'medium', 'low')
  if (kind !== 'url' || area === 'trigger' || !/^http:\/\//i.test(text)) return null
  const host = hostOf(text) ?? ''
  return isLocalHost(host) || isVariableHost(host) ? null : sign('data travel in clear', 'medium', 'low')
}

const refusesPlain = (object: Record<string, unknown>): boolean =>
  isOff(String(at(object, 'metadata', 'annotations', 'kubernetes.io/ingress.allow-http') ?? ''))

const ingresses = (view: PackageView): Finding[] =>
  view.manifests
    .filter(
      ({ kind, object }) => kind === 'Ingress' && !Array.isArray(at(object, 'spec', 'tls')) && !refusesPlain(object),
    )
    .map(({ pointer, object }) => ({
      pointer,
      severity: 'medium',
      confidence: 'low',
      message: 'the Ingress has no TLS: what it serves travels in clear',
      matched: `ingress without tls ${String(at(object, 'metadata', 'name') ?? '')}`,
    }))
