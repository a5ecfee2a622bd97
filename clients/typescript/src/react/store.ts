import type { NamedLimits, StatsData, UsageSource } from "./types.js";

export interface StoreOptions {
	/** Milliseconds between two looks, by default a minute; 0 looks only when a limit resets and when the page is shown. */
	refetchInterval?: number | undefined;
	/** The days of statistics to get, by default 30; false gets none. */
	statsDays?: number | false | undefined;
	/** What the server has rendered, shown until the first answer. */
	initialLimits?: NamedLimits | undefined;
}

export interface UsageState {
	limits: NamedLimits | undefined;
	stats: StatsData | undefined;
	isLoading: boolean;
	error: unknown;
	/** The server's clock less this machine's, in milliseconds. */
	clockOffset: number;
}

/** The longest time that a timer takes. */
const longest = 2 ** 31 - 1;

/** A limit that resets is looked at a little later, and none more often than this. */
const grace = 250;
const pause = 1000;

const offsetOf = (limits: NamedLimits | undefined) =>
	limits?.now === undefined ? 0 : new Date(limits.now).getTime() - Date.now();

/**
 * Looks at the limits while anybody watches: at once, every interval, when a limit resets, and when a hidden page is
 * shown again.
 */
export class UsageStore {
	readonly source: UsageSource;
	private readonly options: StoreOptions;
	private readonly initial: UsageState;
	private state: UsageState;
	private readonly listeners = new Set<() => void>();
	private timer: ReturnType<typeof setTimeout> | undefined;
	private pending: Promise<void> | undefined;

	constructor(source: UsageSource, options: StoreOptions = {}) {
		this.source = source;
		this.options = options;
		const limits = options.initialLimits;
		this.initial = {
			limits,
			stats: undefined,
			isLoading: limits === undefined,
			error: undefined,
			clockOffset: offsetOf(limits),
		};
		this.state = this.initial;
	}

	readonly subscribe = (listener: () => void): (() => void) => {
		this.listeners.add(listener);
		if (this.listeners.size === 1) this.start();
		return () => {
			this.listeners.delete(listener);
			if (this.listeners.size === 0) this.stop();
		};
	};

	readonly getState = (): UsageState => this.state;
	readonly getServerState = (): UsageState => this.initial;

	/** Looks now. Calls at the same time share one look. */
	readonly refetch = (): Promise<void> => {
		this.pending ??= this.fetch().finally(() => {
			this.pending = undefined;
		});
		return this.pending;
	};

	private start(): void {
		document.addEventListener("visibilitychange", this.onVisibility);
		void this.refetch();
	}

	private stop(): void {
		document.removeEventListener("visibilitychange", this.onVisibility);
		clearTimeout(this.timer);
		this.timer = undefined;
	}

	private readonly onVisibility = (): void => {
		if (document.visibilityState === "visible") void this.refetch();
		else clearTimeout(this.timer);
	};

	private async fetch(): Promise<void> {
		const { statsDays = 30 } = this.options;
		const { source } = this;
		const [limits, stats] = await Promise.allSettled([
			source.getUserLimits(),
			statsDays === false ? undefined : source.getUserStats?.({ days: statsDays }),
		]);
		const failed = [limits, stats].find((result) => result.status === "rejected");
		// what was known stays shown beside an error
		const known = limits.status === "fulfilled" ? (limits.value as NamedLimits) : this.state.limits;
		this.state = {
			limits: known,
			stats: stats.status === "fulfilled" ? stats.value : this.state.stats,
			isLoading: false,
			error: failed?.reason,
			clockOffset: limits.status === "fulfilled" ? offsetOf(known) : this.state.clockOffset,
		};
		for (const listener of this.listeners) listener();
		this.schedule();
	}

	private schedule(): void {
		clearTimeout(this.timer);
		if (this.listeners.size === 0 || document.visibilityState === "hidden") return;
		const { refetchInterval = 60_000 } = this.options;
		const now = Date.now() + this.state.clockOffset;
		let wait = refetchInterval > 0 ? refetchInterval : Number.POSITIVE_INFINITY;
		for (const { resetAt } of Object.values(this.state.limits?.limits ?? {})) {
			if (resetAt === null) continue;
			const until = new Date(resetAt).getTime() - now;
			if (!Number.isNaN(until)) wait = Math.min(wait, Math.max(pause, until + grace));
		}
		if (wait !== Number.POSITIVE_INFINITY)
			this.timer = setTimeout(() => void this.refetch(), Math.min(wait, longest));
	}
}
