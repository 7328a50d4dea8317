// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { secretToOutput } from '../../../../consumers/governance/rules/secret-to-output.ts'
import { node, python, ruleCases } from './cases.ts'

ruleCases(secretToOutput, {
  finds: [
    'echo "key: $PRIVATE_KEY"',
    'printf "%s" "$DB_PASSWORD"',
    'set -x\n./login --token "$API_TOKEN"',
    python('import os\nprint(os.environ["DEPLOY_TOKEN"])'),
    node('console.log(process.env.CLIENT_SECRET)'),
  ],
  leaves: [
    'echo "$TOKEN" | docker login --password-stdin registry.example.net',
    'echo "$PRIVATE_KEY" > key.pem',
    'KEY=$(echo "$SERVICE_TOKEN" | jq -r .key)\necho done',
    'set -x\nmake\nset +x\n./login --token "$API_TOKEN"',
    'echo "::add-mask::$API_TOKEN"',
    '# echo "$API_TOKEN"\necho "using $DB_HOST"',
  ],
})
