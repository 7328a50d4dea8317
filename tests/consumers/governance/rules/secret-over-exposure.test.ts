// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { secretOverExposure } from '../../../../consumers/governance/rules/secret-over-exposure.ts'
import { config, node, python, ruleCases } from './cases.ts'

ruleCases(secretOverExposure, {
  finds: [
    config({ command: './deploy.sh', env: { ALL: '${{ toJSON(secrets) }}' } }),
    config({ uses: 'org/build@v1', secrets: 'inherit' }),
    config({ uses: 'org/build@v1', with: { token: "${{ secrets[format('KEY_{0}', matrix.env)] }}" } }),
    'printenv > out && cat out',
    node('send(JSON.stringify(process.env))'),
    python('import json, os\njson.dumps(dict(os.environ))'),
  ],
  leaves: [
    config({ command: './deploy.sh', env: { TOKEN: '${{ secrets.DEPLOY_TOKEN }}' } }),
    'env | grep -c CI_ > count',
    'env MODE=ci make test',
    config({ with: { token: "${{ secrets['DEPLOY_TOKEN'] }}" } }),
    python('import os, subprocess\nsubprocess.run(["make"], env=dict(os.environ))'),
    node('JSON.stringify({ version: process.version })'),
  ],
})
