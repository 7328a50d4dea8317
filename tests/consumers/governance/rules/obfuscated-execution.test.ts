// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { obfuscatedExecution } from '../../../../consumers/governance/rules/obfuscated-execution.ts'
import { node, python, ruleCases } from './cases.ts'

const encoded = Buffer.from('touch /tmp/was-here && echo done').toString('base64')

ruleCases(obfuscatedExecution, {
  finds: [
    `echo ${encoded} | base64 -d | sh`,
    `eval "$(echo ${encoded} | base64 -d)"`,
    `bash -c "$(base64 -d <<< ${encoded})"`,
    'cat${IFS}/etc/hosts',
    'printf "\\x63\\x75\\x72\\x6c x" | sh',
    'cu\u200brl https://a.example.org',
    'сurl https://a.example.org',
    python(`import base64\nexec(base64.b64decode("${encoded}"))`),
    python('code = zlib.decompress(blob)\nexec(code)'),
    node('eval(atob("Y29uc29sZS5sb2coMSk="))'),
    node(`const a = 1;${' '.repeat(200)}global.r = require;`),
  ],
  leaves: [
    'echo $KUBECONFIG_DATA | base64 -d > kubeconfig',
    'base64 -d token.b64 | wc -c',
    'xxd -r dump.hex image.bin',
    'echo "eval is not run here | sh"',
    python('decoded = base64.b64decode(blob)\nmodel.eval(decoded)\ncursor.exec(decoded)'),
    node('const found = /a+/.exec(Buffer.from(text, "base64").toString())'),
    python('# exec(base64.b64decode(x))\nprint(1)'),
  ],
})
