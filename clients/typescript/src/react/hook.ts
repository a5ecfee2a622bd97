import {
	createContext,
	createElement,
	type ReactNode,
	useContext,
	useMemo,
	useRef,
	useSyncExternalStore,
} from "react";
import { type StoreOptions, type UsageState, UsageStore } from "./store.js";
import type { LimitData, LimitsData, NamedLimits, StatsData, UsageSource } from "./types.js";

const Context = createContext<UsageStore | undefined>(undefined);

/** Options that components rarely change; a new source starts anew. */
function useStore(source: UsageSource | undefined, options: StoreOptions): UsageStore | undefined {
	const latest = useRef(options);
	latest.current = options;
	const { refetchInterval, statsDays } = options;
	return useMemo(
		() => source && new UsageStore(source, { ...latest.current, refetchInterval, statsDays }),
		[source, refetchInterval, statsDays],
	);
}

export interface UsageProviderProps extends StoreOptions {
	/** Keep it the same from one rendering to the next: define it outside of the component, or with useMemo. */
	source: UsageSource;
	children?: ReactNode;
}

/** One look at the limits for all the components below it. */
export function UsageProvider({ source, children, ...options }: UsageProviderProps) {
	const store = useStore(source, options);
	return createElement(Context.Provider, { value: store }, children);
}

export interface UseUsageLimitsOptions extends StoreOptions {
	/** Without one, that of the UsageProvider above. */
	source?: UsageSource | undefined;
	/** False asks nothing: for a session that is not there yet. */
	enabled?: boolean | undefined;
}

export interface UsageLimits {
	/** Empty until they are there. */
	limits: Partial<LimitsData> & { [name: string]: LimitData | undefined };
	stats: Partial<StatsData>;
	isLoading: boolean;
	error: unknown;
	refetch: () => Promise<void>;
	/** Whether one more unit of this would be allowed: by a limit's name, or by what it is about. True where none is known. */
	can: (name: string) => boolean;
	isFreeTier: boolean;
	canExport: boolean;
	canGenerate: boolean;
	/** The server's clock less this machine's, in milliseconds. */
	clockOffset: number;
}

const nothing: UsageState = {
	limits: undefined,
	stats: undefined,
	isLoading: false,
	error: undefined,
	clockOffset: 0,
};
const never = () => () => {};

export function useUsageLimits(options: UseUsageLimitsOptions = {}): UsageLimits {
	const { source, enabled = true, ...storeOptions } = options;
	const own = useStore(source, storeOptions);
	const shared = useContext(Context);
	const store = own ?? shared;
	if (!store && enabled) throw new Error("useUsageLimits needs a source, or a UsageProvider above it");
	const watched = enabled ? store : undefined;
	const state = useSyncExternalStore(
		watched?.subscribe ?? never,
		watched?.getState ?? (() => nothing),
		watched?.getServerState ?? (() => nothing),
	);
	return useMemo(() => {
		const limits = (state.limits ?? {}) as NamedLimits;
		const can = (name: string) => (limits.limits?.[name] ?? limits[name])?.allowed ?? true;
		return {
			limits,
			stats: state.stats ?? {},
			isLoading: state.isLoading,
			error: state.error,
			refetch: watched?.refetch ?? (() => Promise.resolve()),
			can,
			isFreeTier: limits.tier === "free",
			canExport: can("exports"),
			canGenerate: can("prompts"),
			clockOffset: state.clockOffset,
		};
	}, [state, watched]);
}
