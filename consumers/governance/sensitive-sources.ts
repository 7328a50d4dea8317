import { isSecretName } from './secret-names.ts'
import type { Command, Pipeline, Word } from './shell.ts'
import { invocation, wordsOf } from './shell-commands.ts'

/** Files and addresses that hold credentials or accounts of a machine. */
export const SENSITIVE_PATH =
  /\/etc\/(?:passwd|shadow|sudoers|kubernetes\/)|(?:^|[/\\~"'\s=@])\.(?:ssh[/\\](?!known_hosts|config\b)|aws[/\\]|azure\/|gnupg\/|kube\/config|docker\/config\.json|netrc|npmrc|pypirc|git-credentials|pgpass|bash_history|config\/gcloud)|(?:^|[/~])\.(?:ssh|aws|gnupg|azure|kube)\/?$|id_(?:rsa|ed25519|ecdsa|dsa)\b(?!\.pub)|\/var\/run\/secrets\/kubernetes\.io|\/proc\/(?:self|\d{1,7}|\*)\/environ|\/run\/secrets\/|169\.254\.169\.254|metadata\.google\.internal|kubeconfig\b|\.tfstate\b|wallet\.dat|Login Data\b|\.pem\b|vault-token/

const READS_STORE: [RegExp, RegExp][] = [
  [/^kubectl$/, /\bget\s+secrets?\b/],
  [/^vault$/, /\b(?:kv\s+get|read)\b/],
  [/^aws$/, /\b(?:get-secret-value|get-parameters?|get-session-token)\b/],
  [/^gcloud$/, /\b(?:secrets\s+versions\s+access|auth\s+print-(?:access|identity)-token)\b/],
  [/^az$/, /\bkeyvault\s+secret\s+show\b/],
  [/^gh$/, /\bauth\s+token\b/],
  [/^(?:mysqldump|pg_dump|pg_dumpall|mongodump)$/, /^/],
]

/** Files and variables that were filled from a sensitive source earlier in the package. */
export type Taint = { files: Set<string>; variables: Set<string> }

/** What secret a command brings to its output, in words, or null. */
export function sourceOf(command: Command, taint: Taint): string | null {
  const { name, args } = invocation(command)
  const line = args.map((word) => word.text).join(' ')
  if ((name === 'env' || name === 'printenv' || name === 'set') && args.length === 0) return 'the environment'
  if (name === 'export' && args.every((word) => word.text === '-p')) return 'the environment'
  if (READS_STORE.some(([program, pattern]) => program.test(name) && pattern.test(line))) return `the output of ${name}`
  if (/^(?:echo|printf)$/.test(name) && args.some((word) => secretVariable(word.text) !== null))
    return 'a secret variable'
  if (
    /^(?:ssh-keyscan|chmod|chown|ls|mkdir|test|\[|\[\[|rm|grep|ssh-add|git|docker|helm|ansible|ansible-playbook|kubectl|ssh|scp|openssl)$/.test(
      name,
    )
  )
    return null
  for (const { text } of [...args, ...command.redirects.filter(({ op }) => op === '<').map(({ target }) => target)]) {
    const path = SENSITIVE_PATH.exec(text)?.[0]
    if (path !== undefined && !/^https?:/.test(text)) return `the file ${text.slice(0, 80)}`
    if (/169\.254\.169\.254|metadata\.google/.test(text)) return 'the instance metadata'
    if (taint.files.has(text)) return `the file ${text.slice(0, 80)}`
    if (usesVariable(text, taint.variables)) return 'a variable with secret content'
  }
  return null
}

/** The name of the first secret variable in a text (`$API_TOKEN`, `${DB_PASSWORD}`, `${{ secrets.X }}`), or null. */
export function secretVariable(text: string): string | null {
  if (/\$\{\{\s{0,4}secrets[.[]/.test(text)) return 'secrets'
  for (const [, braced, plain] of text.matchAll(/\$(?:\{([A-Za-z_]\w{0,80})|([A-Za-z_]\w{0,80}))/g)) {
    const name = braced ?? plain ?? ''
    if (isSecretName(name)) return name
  }
  return null
}

export const usesVariable = (text: string, variables: ReadonlySet<string>): boolean =>
  variables.size > 0 && [...text.matchAll(/\$\{?([A-Za-z_]\w{0,80})/g)].some((match) => variables.has(match[1] ?? ''))

/** The source in any command inside a word's substitutions, or null. */
export function sourceInWord(word: Word, taint: Taint): string | null {
  for (const script of [...word.substitutions, ...word.processes]) {
    for (const command of script.flat()) {
      const source = sourceOf(command, taint) ?? sourceInWords(command.words, taint)
      if (source !== null) return source
    }
  }
  return null
}

const sourceInWords = (words: readonly Word[], taint: Taint): string | null => {
  for (const word of words) {
    const source = sourceInWord(word, taint)
    if (source !== null) return source
  }
  return null
}

/** Notes where a pipeline puts what it read: redirected files, archives, copies, assigned variables. */
export function spread(pipeline: Pipeline, taint: Taint): void {
  for (const command of pipeline) {
    for (const word of wordsOf(command)) {
      const assigned = /^([A-Za-z_]\w*)\+?=/.exec(word.text)?.[1]
      if (assigned !== undefined && sourceInWord(word, taint) !== null) taint.variables.add(assigned)
    }
  }
  for (const { words } of pipeline) {
    // `for line in $(cat secret)`: the loop's variable holds it, piece by piece.
    if (words[0]?.text === 'for' && words[1] !== undefined && words.some((word) => sourceInWord(word, taint) !== null))
      taint.variables.add(words[1].text)
  }
  if (!pipeline.some((command) => sourceOf(command, taint) !== null)) return
  for (const command of pipeline) {
    for (const { op, target } of command.redirects) {
      if (op.includes('>') && !target.text.startsWith('/dev/')) taint.files.add(target.text)
    }
    const { name, args } = invocation(command)
    const texts = args.map((word) => word.text)
    if (name === 'tar') for (const text of texts) if (/\.(?:tar|tgz|gz|xz|bz2|zip)$/.test(text)) taint.files.add(text)
    if (name === 'zip' || name === '7z') taint.files.add(texts.find((text) => !text.startsWith('-')) ?? '')
    if ((name === 'cp' || name === 'mv' || name === 'tee') && texts.length > 0) taint.files.add(texts.at(-1) ?? '')
  }
  taint.files.delete('')
}
