import type { Fact, FactKind } from './facts.ts'
import { isSecretName } from './secret-names.ts'
import { SENSITIVE_PATH } from './sensitive-sources.ts'
import { commandText, invocation } from './shell-commands.ts'
import { isSubmissionFetch } from './untrusted-trigger.ts'

/**
 * Weak signs. One alone proves nothing and is never reported: they only feed the model, which weighs them together.
 * Names are the model's features; a changed pattern needs a new training.
 */
export type Signal = { name: string; kinds: readonly FactKind[]; test: (fact: Fact) => boolean }

const command: readonly FactKind[] = ['command']
const fields: readonly FactKind[] = ['manifest', 'string', 'env']
const all: readonly FactKind[] = ['command', 'image', 'url', 'env', 'header', 'manifest', 'string']
const pattern = (name: string, kinds: readonly FactKind[], regex: RegExp): Signal => ({
  name,
  kinds,
  test: ({ bare }) => regex.test(bare),
})
const field = (name: string, key: RegExp, value: RegExp): Signal => ({
  name,
  kinds: fields,
  test: (fact) => key.test(fact.name) && value.test(fact.text),
})

export const SIGNALS: readonly Signal[] = [
  pattern(
    'decodes_text',
    command,
    /\bbase64\s+(?:-d|-D|--decode)|b64decode|\batob\(|Buffer\.from\([^\n)]{1,200}['"](?:base64|hex)|Base64\.\w{0,16}decode|\bunhexlify|xxd\s+-r|zlib\.decompress|codecs\.decode|fromCharCode/,
  ),
  pattern(
    'runs_built_text',
    command,
    /\beval\b|\bexec\s?\(|\bFunction\s?\(|\b(?:instance|class|module)_eval\b|\bcompile\s?\(|__import__\s?\(|\bgetattr\(\s?(?:builtins|__builtins__)/,
  ),
  pattern(
    'runs_decoded_text',
    command,
    /\b(?:eval|exec|Function|(?:instance|class|module)_eval)\b\s?\(?[^\n]{0,80}(?:b64decode|atob\(|Base64\.|decode64|fromhex|unhexlify|decompress|fromCharCode|\.decode\()|base64\s+(?:-d|-D|--decode)[^\n]{0,60}\|\s{0,4}(?:sudo )?(?:ba|da|z)?sh\b/,
  ),
  pattern(
    'encoded_blob',
    command,
    /[A-Za-z0-9+/=]{160}|(?:\\x[0-9a-fA-F]{2}){12}|(?:\b0x[0-9a-f]{2},\s?){12}|(?:\b\d{2,3},\s?){30}/,
  ),
  pattern('obfuscated_names', command, /\b_0x[0-9a-f]{4,8}\b|\b_{5,40}\s?=|\$\{?IFS\b|\bchr\(\d{1,3}\)\s?\+\s?chr\(/),
  pattern('hidden_far_right', command, /\S[ \t]{120}\S/),
  {
    name: 'credential_file',
    kinds: command,
    // A kubeconfig or a certificate file is what honest deployments name all the time.
    test: (fact) => SENSITIVE_PATH.test(actingText(fact).replace(/kubeconfig|\.kube\/config|\.pem\b/g, '')),
  },
  pattern(
    'environment_dump',
    command,
    /\bprintenv\b|(?:^|[;&|(]\s{0,4})env\s{0,4}(?:$|[|>;)])|os\.environ\b(?!\s{0,2}[.[])|JSON\.stringify\(\s?process\.env|toJSON\(\s?secrets|ENV\.to_/m,
  ),
  {
    name: 'all_secrets_passed',
    kinds: all,
    test: ({ bare }) => /toJSON\(\s{0,4}secrets|secrets\[\s{0,4}format/.test(bare),
  },
  { name: 'prints_secret', kinds: command, test: printsSecret },
  pattern(
    'surveillance',
    command,
    /\bImageGrab\b|pyscreenshot|pyperclip|pynput|keyboard\.on_press|\bscapy\b|tcpdump\b|clipboard|screencapture|arecord\b/i,
  ),
  pattern(
    'machine_survey',
    command,
    /\bwhoami\b|\bhostname\b[^\n]{0,80}(?:curl|post|send)|getpass\.getuser|socket\.gethostname|platform\.(?:system|node)\(|os\.userInfo\(/,
  ),
  pattern(
    'persistence',
    command,
    /\/etc\/cron|crontab\s+(?!-l)|authorized_keys|\.(?:bashrc|zshrc|profile|bash_profile)\b|systemctl\s+enable|\/etc\/systemd|rc\.local|ld\.so\.preload|LaunchAgents|useradd\b/,
  ),
  pattern(
    'tampering',
    command,
    /setenforce\s+0|iptables\s+(?:-F|--flush)|ufw\s+disable|history\s+-c|unset\s+HISTFILE|auditctl\s+-e\s?0|systemctl\s+(?:stop|disable)\s+(?:auditd|firewalld|falco|rsyslog)|rm\s+[^\n]{0,40}\/var\/log/,
  ),
  pattern(
    'destruction',
    command,
    /\bmkfs|dd\s+if=\/dev\/(?:zero|u?random)\s+of=\/dev\/|rm\s+-[a-zA-Z]{1,4}\s+(?:--no-preserve-root\s+)?\/(?:\*|\s|$)|\bDROP\s+(?:DATABASE|SCHEMA)\b|kubectl\s+delete\s+(?:ns|namespaces?)\b|--all\s+--all-namespaces|\bwipefs\b|\bshred\b/,
  ),
  pattern('mining', all, /xmrig|minerd|stratum\+|cryptonight|nicehash|:\(\)\s?\{\s?:\|:&\s?\};:|monero/i),
  pattern(
    'detached_process',
    command,
    /detached:\s?true|\bdisown\b|creationflags|start_new_session\s?=\s?True|subprocess\.(?:Popen|DEVNULL)[\s\S]{0,200}DEVNULL/,
  ),
  pattern('bare_address', all, /https?:\/\/(?!127\.|10\.|192\.168\.|169\.254\.|0\.0)\d{1,3}(?:\.\d{1,3}){3}\b/),
  pattern(
    'throwaway_host',
    all,
    /\b(?:webhook\.site|requestbin|pipedream\.net|ngrok|burpcollaborator|oastify|oast\.|interact\.sh|pastebin\.com|transfer\.sh|bit\.ly|tinyurl|discord(?:app)?\.com\/api\/webhooks|[\w-]{2,40}\.(?:xyz|top|tk|gq|ml|cf|zip|click)\/)/i,
  ),
  pattern(
    'plain_transport',
    all,
    /\bhttp:\/\/(?!localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|\$|[\w-]{1,60}(?:[:/]|$)|[\w.-]{1,100}\.(?:svc|local|internal)|(?:www\.)?(?:w3|apache)\.org|json-schema)/,
  ),
  pattern(
    'unverified_transport',
    command,
    /StrictHostKeyChecking[= ]no|--insecure(?=\s|$)|--no-check-certificate|verify\s?=\s?False|rejectUnauthorized:\s?false|\bcurl\s[^\n|;]{0,80}\s-[a-zA-Z]{0,6}k\b|NODE_TLS_REJECT_UNAUTHORIZED=0|validate_certs:?[= ]?no/,
  ),
  field('host_namespace', /^host(?:PID|IPC|Network)$/, /^true$/i),
  {
    name: 'host_path',
    kinds: fields,
    test: ({ pointer, name }) => /\/hostPath(?:\/path)?$/.test(pointer) || name === 'hostPort',
  },
  {
    name: 'runtime_socket',
    kinds: all,
    test: ({ bare }) => /(?:docker|containerd|crio)\.sock\b|tcp:\/\/docker:237\d/.test(bare),
  },
  {
    name: 'wildcard_rights',
    kinds: fields,
    test: ({ pointer, text }) => text === '*' && /\/(?:verbs|resources|apiGroups)\/\d+$/.test(pointer),
  },
  field('powerful_role', /^name$/, /^(?:cluster-admin|system:masters|system:anonymous|system:unauthenticated)$/),
  {
    name: 'escalating_verb',
    kinds: fields,
    test: ({ pointer, text }) => /\/verbs\/\d+$/.test(pointer) && /^(?:bind|escalate|impersonate)$/.test(text),
  },
  {
    name: 'reads_all_secrets',
    kinds: fields,
    test: ({ pointer, text }) => /\/resources\/\d+$/.test(pointer) && /^(?:secrets|\*)$/.test(text),
  },
  field('foreign_namespace', /^namespace$/, /^(?:\*|kube-system|kube-public)$/),
  {
    name: 'checks_out_submission',
    kinds: all,
    test: isSubmissionFetch,
  },
  {
    name: 'submission_trigger',
    kinds: ['string'],
    test: ({ area, text }) =>
      area === 'trigger' && /^(?:pull_request_target|workflow_run|issue_comment|issues|fork)$/.test(text),
  },
  {
    name: 'shared_runner',
    kinds: ['string'],
    test: ({ name, text }) => /^(?:runner|runs_on)$/.test(name) && /self-hosted/.test(text),
  },
  {
    name: 'moving_action',
    kinds: ['string'],
    test: ({ name, text }) =>
      name === 'uses' && !/^(?:actions|github)\/|^\.\//.test(text) && /@(?:main|master|latest|dev|HEAD)$/.test(text),
  },
  {
    name: 'tagged_action',
    kinds: ['string'],
    test: ({ name, text }) =>
      name === 'uses' &&
      !/^(?:actions|github)\/|^\.\//.test(text) &&
      /@v?\d[\w.-]*$/.test(text) &&
      !/@[0-9a-f]{40}$/.test(text),
  },
  pattern(
    'unsafe_runtime_switch',
    ['command', 'env', 'string'],
    /ACTIONS_ALLOW_UNSECURE_COMMANDS|\bset-env name=|\bset\s+-[a-z]*x[a-z]*\b[\s\S]{0,400}\$\{?\w{0,30}(?:TOKEN|SECRET|PASSWORD)/,
  ),
  {
    name: 'literal_under_secret_name',
    kinds: ['env', 'header'],
    test: ({ name, text }) => isSecretName(name) && !/[${]/.test(text) && text.length >= 6,
  },
  pattern(
    'weak_guard',
    ['string'],
    /github\.(?:actor|triggering_actor)\s?[!=]=|contains\(\s?github\.(?:event|head_ref|actor)/,
  ),
]

/** What a command does, without the texts that it merely prints. */
function actingText({ pipelines, code }: Fact): string {
  const commands = pipelines
    .flat()
    .filter((command) => !/^(?:echo|printf)$/.test(invocation(command).name) || command.redirects.length > 0)
  return [...commands.map(commandText), ...code.map(({ text }) => text)].join('\n')
}

function printsSecret({ bare }: Fact): boolean {
  return /\b(?:echo|printf|print|console\.log|puts)\b[^\n|>]{0,200}\$?\{?\b\w{0,40}(?:PRIVATE_KEY|SECRET|PASSWORD|API_TOKEN|ACCESS_TOKEN)\b[^\n|>]{0,200}(?:\n|$)|add-mask::/.test(
    bare,
  )
}

/** The names of the signals that any fact of a package shows. */
export function signalsOf(facts: readonly Fact[]): Set<string> {
  const shown = new Set<string>()
  for (const signal of SIGNALS) {
    if (facts.some((fact) => signal.kinds.includes(fact.kind) && signal.test(fact))) shown.add(signal.name)
  }
  return shown
}
