import { join, relative } from 'node:path'
import { localUrl, type RunningService } from '../platform/http/service.ts'
import type { PolicyStatus } from '../platform/policies.ts'

type Ready = {
  home: string
  cwd: string
  bind: string
  services: readonly RunningService[]
  policies: readonly PolicyStatus[]
  seconds: string
  demo: boolean
  visitor: boolean
}

/** What is shown once everything answers: where it is, what the policies found, what to try next. */
export function readyScreen({ home, cwd, bind, services, policies, seconds, demo, visitor }: Ready): string {
  const url = (name: string) => {
    const port = services.find((service) => service.name === name)?.port
    return port === undefined ? null : localUrl(bind, port)
  }
  const lines = [
    `Ready in ${seconds} s.`,
    '',
    ...services.map(({ name }) => `  ${name.padEnd(12)} ${url(name)}`),
    '',
    ...policies.map(({ id, status, detail }) => `  ${id} ${status}: ${detail}`),
  ]
  const tries: [string | null, string][] = [
    [url('portal') && `open ${url('portal')}`, 'the portal'],
    [visitor && url('billing') ? `curl ${url('billing')}/billing/invoice/demo` : null, "this month's invoice of demo"],
    [url('marketplace') && `curl ${url('marketplace')}/wpk/list`, 'published packages'],
    [demo && services.length === 5 ? 'npm run demo' : null, 'publish, review, use and bill a package, step by step'],
  ]
  const shown = tries.filter((one): one is [string, string] => one[0] !== null)
  const width = Math.max(...shown.map(([command]) => command.length))
  lines.push('', 'Try next', ...shown.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`))
  if (demo) {
    const file = join(home, 'dev', 'credentials.json')
    lines.push(
      '',
      `Tokens and keys of the demo organisations: ${relative(cwd, file).startsWith('..') ? file : relative(cwd, file)}`,
    )
  }
  return `${lines.join('\n')}\nCtrl-C stops everything.\n`
}
