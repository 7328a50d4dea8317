// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { expect } from 'chai'
import { commandInjection } from '../../../../consumers/governance/rules/command-injection.ts'
import { findings, packageWith, shell } from '../packages.ts'
import { config, onEvent, ruleCases } from './cases.ts'

const found = (command: string, more: Record<string, unknown> = {}) =>
  findings(commandInjection, packageWith([shell(command, more)]))

describe('WPK-P3-003 command injection', () => {
  for (const command of [
    'echo ${{ github.event.issue.title }}',
    'git checkout "${{ github.head_ref }}"',
    "echo ${{ github['head_ref'] }}",
    'for f in ${{ steps.changed-files.outputs.all_changed_files }}; do echo $f; done',
    './notify "${event.message}"',
    './handle {{ payload.user.name }}',
    'eval "$PAYLOAD_COMMAND"',
  ]) {
    it(`finds ${command}`, () => {
      expect(found(command)).to.have.length(1)
      expect(found(command)[0]).to.include({ severity: 'high', pointer: '/spec/handlers/0/config/command' })
    })
  }

  it('finds it in a script of an action', () => {
    const handler = {
      ...shell(''),
      config: { uses: 'actions/github-script@v7', with: { script: 'log("${{ github.event.comment.body }}")' } },
    }
    const [violation] = findings(commandInjection, packageWith([handler]))
    expect(violation?.pointer).to.equal('/spec/handlers/0/config/with/script')
  })

  for (const [command, more] of [
    ['echo "$TITLE"', { env: { TITLE: '${{ github.event.issue.title }}' } }],
    ['echo ${{ github.event.issue.number }}', {}],
    ['git checkout ${{ github.sha }}', {}],
    ['./release ${{ github.event.release.tag_name }}', {}],
    ['./handle --id {{ event.id }}', {}],
    ['# ${{ github.event.issue.title }}\nmake', {}],
    ['python -m tool {{inputs.parameters.value}}', {}],
    ['kubectl get pod ${POD_NAME}', {}],
  ] as const) {
    it(`is silent on ${command.replaceAll('\n', ' ')}`, () => {
      expect(found(command, more)).to.deep.equal([])
    })
  }
})

ruleCases(commandInjection, {
  finds: [
    onEvent('issues', [shell('gh issue edit 7 --title "triaged: ${{ github.event.issue.title }}"')]),
    config({ command: 'printf "%s" ${{ github.event.pull_request.body }} > body.md && ./check body.md' }),
    onEvent('comment', [shell('jq -n "{text: \\"${event.comment.text}\\"}" > out.json')], 'forge'),
    config({
      uses: 'actions/github-script@v7',
      with: { script: 'const t = `${{ github.event.head_commit.message }}`' },
    }),
  ],
  leaves: [
    config({ command: 'gh issue edit 7 --title "$TITLE"', env: { TITLE: '${{ github.event.issue.title }}' } }),
    'docker build --label "run=${{ github.run_id }}" --label "sha=${{ github.sha }}" .',
    config({ command: 'test "$KIND" = bug && ./label', env: { KIND: '${{ github.event.label.name }}' } }),
    'helm upgrade web ./chart --set image.tag="${IMAGE_TAG}"',
  ],
})
