import type { Fact } from './facts.ts'
import type { PackageView } from './package-view.ts'
import { invocation } from './shell-commands.ts'

const PRIVILEGED =
  /^(?:pull_request_target|workflow_run|issue_comment|issues|pull_request_review|pull_request_review_comment|discussion|discussion_comment|fork|watch)$/
const OUTSIDE =
  /^(?:pull_request|merge_request|pull_request_target|workflow_run|issue_comment|issues|discussion|discussion_comment|fork)$/
const SUBMISSION =
  /github\.event\.(?:pull_request\.head\.(?:sha|ref|repo)|workflow_run\.(?:head_(?:sha|branch|repository)|id)|pull_request\.merge_commit_sha)|github(?:\.head_ref|\[\s?['"]head_ref)|\bgh pr checkout\b|refs\/pull\/|\bpull\/\$\{?[\w{]|steps\.[\w-]{1,40}\.outputs\.(?:head|pr)_?(?:sha|ref)/i

/** Names of the events that start a package: `event`, `on` or `type` of its triggers' configurations. */
export const eventsOf = (view: PackageView): string[] =>
  view.facts
    .filter(({ area, name }) => area === 'trigger' && /^(?:event|events|on|event_name|event_type)$/.test(name))
    .map(({ text }) => text)

/** True when anybody may start the package, with the rights of its owner. */
export const runsForStrangers = (view: PackageView): boolean => eventsOf(view).some((event) => PRIVILEGED.test(event))

/** True when anybody may start the package, with whatever rights. */
export const startedFromOutside = (view: PackageView): boolean => eventsOf(view).some((event) => OUTSIDE.test(event))

/** The facts that fetch what a stranger sent: a checkout of its commit, `gh pr checkout`, a fetch of its reference. */
export const fetchesSubmission = (view: PackageView): Fact[] => view.facts.filter(isSubmissionFetch)

/** True for a fact that fetches what a stranger sent. */
export function isSubmissionFetch({ kind, name, bare, handler }: Fact): boolean {
  if (handler < 0 || !SUBMISSION.test(bare)) return false
  if (kind !== 'command') return /^(?:ref|repository|commit|branch|revision|run[-_]id)$/.test(name)
  return /\b(?:git\s+(?:fetch|checkout|pull|clone|merge|switch|worktree)|gh pr checkout)\b/.test(bare)
}

const BUILDS =
  /^(?:npm|pnpm|yarn|bun|npx|make|cmake|gradle|gradlew|mvn|mvnw|pip3?|python3?|node|tox|pytest|pylint|pre-commit|cargo|go|bundle|rake|ruby|composer|php|dotnet|docker|docker-compose|msbuild|bash|sh|terraform|ansible-playbook|sbt|ant|poetry|uv|just|task|eslint|mkdocs|goreleaser)$/
const HARMLESS = /^(?:--version|-v|-V|version|--help|login|logout)$/

/** True for a command that runs what lies in the working directory: a build, a test, a script of the checkout. */
export const runsCheckout = (fact: Fact): boolean =>
  fact.kind === 'command' &&
  fact.pipelines.flat().some((command) => {
    const { name, args } = invocation(command)
    const first = command.words[0]?.text ?? ''
    if (/^\.{1,2}\//.test(first)) return true
    return BUILDS.test(name) && !HARMLESS.test(args[0]?.text ?? '')
  })
