/** What a package reaches beyond its own text, as far as its document names it. Sorted, each once. */
export type Surface = { hosts: string[]; permissions: string[]; images: string[] }

const HOST_IN_URL =
  /\b[a-z][a-z0-9+.-]{1,15}:\/\/(?:[^/?#\s@'"]{0,256}@)?(\[[0-9a-f:.]{2,45}\]|[^/?#\s:'"`<>|;)\\]{1,253})/gi
const IMAGE_IN_TEXT = /^[ \t-]{0,64}image:[ \t]*["']?([^\s"'#]{1,512})/gm
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads hosts of URLs, container images and asked-for permissions out of a parsed package. */
export function surfaceOf(document: unknown): Surface {
  const hosts = new Set<string>()
  const images = new Set<string>()
  const permissions = new Set<string>()

  function text(value: string, key: string): void {
    const isImage = key === 'uses' && value.startsWith('docker://')
    if (isImage) images.add(value.slice('docker://'.length))
    else for (const [, host = ''] of value.matchAll(HOST_IN_URL)) hosts.add(host.toLowerCase())
    // A manifest may stand in the package as one text.
    for (const [, image = ''] of value.matchAll(IMAGE_IN_TEXT)) images.add(image)
    if (key === 'image') images.add(value)
    if (key === 'host' || key === 'hostname') hosts.add(value.toLowerCase())
  }

  function walk(value: unknown, key: string): void {
    if (typeof value === 'string') text(value, key)
    if (key === 'required_permissions' || key === 'permissions')
      for (const one of permissionsIn(value)) permissions.add(one)
    if (Array.isArray(value)) for (const one of value) walk(one, key)
    else if (isObject(value)) {
      for (const one of rightsIn(value)) permissions.add(one)
      for (const [name, one] of Object.entries(value)) walk(one, name)
    }
  }

  walk(document, '')
  return { hosts: sorted(hosts), permissions: sorted(permissions), images: sorted(images) }
}

/** What the newer one has and the older one lacks. */
export const addedTo = (older: Surface, newer: Surface): Surface => ({
  hosts: newer.hosts.filter((one) => !older.hosts.includes(one)),
  permissions: newer.permissions.filter((one) => !older.permissions.includes(one)),
  images: newer.images.filter((one) => !older.images.includes(one)),
})

function permissionsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.filter((one) => typeof one === 'string')
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, level]) => (typeof level === 'string' ? [`${name}: ${level}`] : []))
}

/** A rule of a Kubernetes role, one line for each resource. */
function rightsIn({ verbs, resources }: Record<string, unknown>): string[] {
  if (!Array.isArray(verbs) || !Array.isArray(resources)) return []
  return resources.map((resource) => `${verbs.join(',')} ${String(resource)}`)
}

const sorted = (values: ReadonlySet<string>): string[] => [...values].sort()
