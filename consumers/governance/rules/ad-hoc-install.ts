import type { Call } from './matching.ts'
import { inCommands, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const FORCED =
  /--(?:allow-unauthenticated|force-yes|no-gpg-check|nogpgcheck|break-system-packages|allow-downgrades|trusted-host|ignore-scripts=false|legacy-peer-deps)\b/
const VALUED =
  /^(?:-r|-c|-i|-f|-t|--index-url|--extra-index-url|--target|--prefix|--registry|--find-links|--requirement|--constraint|--root|--path|-w|--workspace|-C|--cwd|--cache-dir|-n|--name|--python)$/

/** WPK-P2-006: what is installed is whatever the registry gives that day. Advice only. */
export const adHocInstall: Rule = {
  id: 'WPK-P2-006',
  version: 1,
  name: 'ad-hoc install',
  severity: 'medium',
  about:
    'Installing packages of a language registry without a version or lock file, and switches that skip checks of signatures. `npm ci`, requirement files, `--require-hashes`, named versions and the package manager of the image are silent. Advice: it never holds a package by itself.',
  remediation: 'Install from a lock file, or name the version.',
  hygiene: true,
  check: (view) => inCommands(view, judge),
}

function judge({ name, args, line }: Call) {
  if (FORCED.test(line) && /^(?:apt|apt-get|yum|dnf|pip3?|python3?)$/.test(name))
    return sign('an install skips its checks', 'medium', 'medium')
  const names = installed(name, args)
  if (names === null) return null
  return names.length > 0 ? sign('a package is installed without a version', 'medium', 'medium') : null
}

/** The packages without a version that a command installs, or null for another command. */
function installed(name: string, args: readonly string[]): string[] | null {
  const module = /^python3?(?:\.\d+)?$/.test(name) && args[0] === '-m' && args[1] === 'pip'
  const [verb = '', ...rest] = (module ? args.slice(2) : args).filter(
    (text, index) => index > 0 || !text.startsWith('-'),
  )
  const plain = rest.filter((text, index) => !text.startsWith('-') && !VALUED.test(rest[index - 1] ?? ''))
  const registry = plain.filter((text) => /^@?[A-Za-z][\w.-]*(?:\/[\w.-]+)?(?:\[[\w,]+\])?(?:@[\w.-]+)?$/.test(text))
  if (module || /^pip3?(?:\.\d+)?$/.test(name)) {
    if (verb !== 'install' || rest.includes('--require-hashes')) return verb === 'install' ? [] : null
    return registry.filter(
      (text) => !/[=<>~/@]|\.(?:whl|txt|gz)$/.test(text) && !/^(?:pip|setuptools|wheel)$/.test(text),
    )
  }
  if (/^(?:npm|pnpm|yarn)$/.test(name)) {
    const installs = /^(?:install|i|add)$/.test(verb) || (verb === 'global' && rest[0] === 'add')
    return installs
      ? registry.filter((text) => text !== 'add' && (!/.@\d/.test(text) || /@(?:latest|next)$/.test(text)))
      : null
  }
  if (name === 'npx' || name === 'bunx') return [verb].filter((text) => /^@?[a-z][\w./-]*@(?:latest|next)$/.test(text))
  if (name === 'gem')
    return verb === 'install' && !rest.some((text) => /^(?:-v|--version)/.test(text))
      ? registry.filter((text) => !text.includes(':'))
      : null
  if (name === 'go')
    return verb === 'install' || verb === 'get' ? rest.filter((text) => /@(?:latest|master|main)$/.test(text)) : null
  if (name === 'cargo')
    return verb === 'install' && !rest.some((text) => /^--(?:version|locked|git|path)/.test(text)) ? registry : null
  return null
}
