import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'

export type SourceFile = { path: string; text: string }
/** What a file takes in: `to` is a path of ours, or the name of a package. */
export type Import = { from: string; to: string; ours: boolean }

const SKIPPED = new Set(['node_modules', 'dist', '.atom', '.git', '.venv'])
const FORMS = [
  /\bfrom\s*(['"])([^'"\n]+)\1/g,
  /\bimport\s*(['"])([^'"\n]+)\1/g,
  /\bimport\s*\(\s*(['"])([^'"\n]+)\1/g,
  /\brequire(?:\.resolve)?\s*\(\s*(['"])([^'"\n]+)\1/g,
]

/** Every TypeScript file of the repository, with forward slashes. */
export function sourceFiles(root: string): SourceFile[] {
  const found: SourceFile[] = []
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !SKIPPED.has(entry.name) && !entry.name.startsWith('dist.tmp')) visit(path)
      else if (entry.isFile() && /\.(ts|tsx|mts|cts)$/.test(entry.name) && statSync(path).size > 0)
        found.push({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') })
    }
  }
  visit(root)
  return found
}

/** Every import of a file in every form: `from`, bare, dynamic and `require`. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const specifiers = FORMS.flatMap((form) => [...text.matchAll(form)].map((match) => match[2] as string))
  return [...new Set(specifiers)].map((specifier) => {
    if (!specifier.startsWith('.')) return { from: path, to: packageOf(specifier), ours: false }
    return {
      from: path,
      to: normalize(join(dirname(path), specifier))
        .split(sep)
        .join('/'),
      ours: true,
    }
  })
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
