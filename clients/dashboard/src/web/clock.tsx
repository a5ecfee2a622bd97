/**
 * The database's clock: what it says is now may differ from this machine's, and
 * a test may have set it.
 */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

const Offset = createContext(0);

/** `now` is the database's instant at `seenAt` of this machine's clock. */
export function ServerClock({ now, seenAt, children }: { now: string; seenAt: number; children: ReactNode }) {
	const offset = useMemo(() => new Date(now).getTime() - seenAt, [now, seenAt]);
	return <Offset.Provider value={offset}>{children}</Offset.Provider>;
}

/** The database's now in milliseconds, looked at so often. */
export function useNow(every: number): number {
	const offset = useContext(Offset);
	const [now, setNow] = useState(Date.now);
	useEffect(() => {
		const timer = setInterval(() => setNow(Date.now()), every);
		return () => clearInterval(timer);
	}, [every]);
	return now + offset;
}
