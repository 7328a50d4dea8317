// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { adHocInstall } from '../../../../consumers/governance/rules/ad-hoc-install.ts'
import { ruleCases } from './cases.ts'

ruleCases(adHocInstall, {
  finds: [
    'pip install requests',
    'python3 -m pip install --upgrade tox wheel',
    'npm install -g typescript',
    'go install example.com/tool@latest',
    'gem install bundler',
    'apt-get install --allow-unauthenticated -y jq',
  ],
  leaves: [
    'npm ci',
    'pip install -r requirements.txt',
    'pip install --require-hashes -r requirements.txt',
    'pip install requests==2.32.0',
    'npm install -g typescript@5.4.2',
    'gem install bundler -v 2.5.6',
    'apt-get install -y jq',
  ],
})
