// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { unsafeRuntimeFeature } from '../../../../consumers/governance/rules/unsafe-runtime-feature.ts'
import { config, node, python, ruleCases } from './cases.ts'

ruleCases(unsafeRuntimeFeature, {
  finds: [
    config({ command: 'make', env: { ACTIONS_ALLOW_UNSECURE_COMMANDS: true } }),
    'echo "::set-env name=A::b"',
    'echo "TITLE=${{ github.event.issue.title }}" >> $GITHUB_ENV',
    python('eval(input())'),
    python('import sys\ncommand = sys.argv[1]\nos.system(command)'),
    python('setup(name="a", cmdclass={"install": Custom})'),
    node('eval(req.body.code)'),
  ],
  leaves: [
    'echo "MODE=ci" >> $GITHUB_ENV',
    config({ command: 'make', env: { ACTIONS_ALLOW_UNSECURE_COMMANDS: false } }),
    python('value = int(input())'),
    python('setup(name="a", cmdclass={"upload": Upload})'),
    node('const found = pattern.exec(req.body.text)'),
    python('yaml.load(text, Loader=yaml.SafeLoader)'),
  ],
})
