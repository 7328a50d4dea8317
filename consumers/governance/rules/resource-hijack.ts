import { invocation } from '../shell-commands.ts'
import type { Call, CodePattern } from './matching.ts'
import { findingAt, inCode, inCommands, inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const MINERS =
  /\b(?:xmrig|xmr-stak|minerd|cpuminer|cgminer|bfgminer|ethminer|nbminer|nheqminer|lolminer|phoenixminer|t-rex-miner|trex|claymore|ccminer|srbminer|kinsing|kdevtmpfsi|coinhive|cryptoloot|minergate|nicehash\w{0,10})\b/i
const POOLS =
  /\bstratum\+(?:tcp|ssl|tls)2?:\/\/|\b(?:pool\.(?:minexmr|supportxmr|hashvault)|xmr(?:-\w{2})?\d?\.(?:nanopool|2miners)|moneroocean\.stream|minexmr|supportxmr|f2pool|ethermine|unmineable|nanopool)\.?(?:com|org|pro|stream)?\b|--donate-level|--coin[= ](?:monero|xmr)|\bcryptonight\b|\brandomx\b/i
const BOMB = /(?:^|[\s;&(])([\w:.]{1,20})\s?\(\)\s?\{\s?\1\s?\|\s?\1\s?&\s?\}\s?;\s?\1/
const BUSY = /\bwhile\s{1,4}(?:true|:|\[ 1 \])\s{0,4};?\s{0,4}do\s{1,4}(?::|true)\s{0,4};?\s{0,4}done\b/
const CODE: readonly CodePattern[] = [
  { pattern: MINERS, sign: sign('a program that mines currency is used', 'critical', 'medium') },
  { pattern: POOLS, sign: sign('a mining pool is used', 'critical', 'high') },
  {
    pattern: /while\s?(?:\(?true\)?|True|1)\s?:?\s?\{?\s{0,40}(?:os\.fork\(\)|fork\(?\)?|child_process\.fork\()/,
    sign: sign('code starts copies of itself without end', 'critical', 'high'),
  },
]

/** WPK-P3-015: the machine works for somebody else, or is worked to a standstill. */
export const resourceHijack: Rule = {
  id: 'WPK-P3-015',
  version: 1,
  name: 'resource hijack',
  severity: 'critical',
  about:
    'Programs and pools that mine currency, in commands, arguments, images, environment and addresses; processes that start copies of themselves without end; load without a bound. A load test with a duration is silent.',
  remediation: 'Remove it.',
  hygiene: false,
  check: (view) => [
    ...inCommands(view, judge),
    ...inCode(view, CODE),
    ...inFields(view, ({ kind, text, name }) => {
      if (POOLS.test(text)) return sign('a mining pool is used', 'critical', 'high')
      return kind === 'image' &&
        (MINERS.test(text) || /\b(?:monero|xmr|miner)\b/i.test(text.replace(/[_-]/g, ' '))) &&
        name !== ''
        ? sign('the image mines currency', 'critical', 'medium')
        : null
    }),
    ...view.facts
      .filter(({ kind, bare }) => kind === 'command' && BUSY.test(bare.slice(0, 100_000)))
      .map((fact) =>
        findingAt(fact, sign('load without end is made', 'high', 'medium'), BUSY.exec(fact.bare)?.[0] ?? ''),
      ),
    ...view.facts
      .filter(({ kind, bare }) => kind === 'command' && BOMB.test(bare.slice(0, 100_000)))
      .map((fact) =>
        findingAt(
          fact,
          sign('a process starts copies of itself without end', 'critical', 'high'),
          BOMB.exec(fact.bare)?.[0] ?? '',
        ),
      ),
  ],
}

const TALKS = /^(?:echo|printf|grep|egrep|pkill|pgrep|killall|rm|ps|awk|sed|find|apt-get|apk)$/

function judge({ name, line, pipeline }: Call) {
  // Whoever looks for a miner to stop it names it too.
  if (TALKS.test(name)) return null
  if (POOLS.test(line)) return sign('a mining pool is used', 'critical', 'high')
  if (
    MINERS.test(name) ||
    (/^(?:curl|wget|docker|podman|npm|git|tar|chmod|nohup|screen|tmux|sh|bash)$/.test(name) && MINERS.test(line))
  )
    return sign('a program that mines currency is used', 'critical', 'medium')
  const endless =
    /^(?:yes|cat \/dev\/(?:zero|urandom))\b/.test(line) ||
    (name === 'dd' && /if=\/dev\/(?:zero|urandom)/.test(line) && /of=\/dev\/null/.test(line) && !/count=/.test(line))
  const bounded = pipeline.some(
    (one) => /^(?:head|timeout)$/.test(one.words[0]?.text ?? '') || invocation(one).name === 'head',
  )
  if (endless && !bounded && pipeline.at(-1)?.redirects.some(({ target }) => target.text === '/dev/null'))
    return sign('load without end is made', 'high', 'medium')
  return /^stress(?:-ng)?$/.test(name) && !/(?:-t|--timeout)[ =]?\d/.test(line)
    ? sign('load without end is made', 'medium', 'low')
    : null
}
