/**
 * Answers that many administrators' pages ask for again and again: one query
 * at a time a question, and none sooner than ten times as long as it took.
 */
interface Entry {
	value: Promise<unknown>;
	/** Milliseconds; Infinity while the answer is not there */
	until: number;
}

const leastMilliseconds = 1000;
const mostMilliseconds = 60_000;
const mostEntries = 500;

export class Cache {
	private readonly entries = new Map<string, Entry>();

	async get<T>(key: unknown[], ask: () => Promise<T>): Promise<T> {
		const name = JSON.stringify(key);
		const known = this.entries.get(name);
		if (known && known.until > Date.now()) return known.value as Promise<T>;

		const start = Date.now();
		const entry: Entry = { value: ask(), until: Infinity };
		this.entries.delete(name);
		this.entries.set(name, entry);
		const [oldest] = this.entries.keys();
		if (this.entries.size > mostEntries && oldest !== undefined) this.entries.delete(oldest);
		try {
			const value = (await entry.value) as T;
			const taken = Date.now() - start;
			entry.until = Date.now() + Math.min(Math.max(10 * taken, leastMilliseconds), mostMilliseconds);
			return value;
		} catch (error) {
			if (this.entries.get(name) === entry) this.entries.delete(name);
			throw error;
		}
	}

	/** After a change, so that its author sees it. */
	clear(): void {
		this.entries.clear();
	}
}
