/** Short messages about what has just been done, also for screen readers. */
import { CircleCheck, TriangleAlert } from "lucide-react";
import { useSyncExternalStore } from "react";

interface Toast {
	id: number;
	tone: "good" | "warn";
	text: string;
}

let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
	toasts = next;
	for (const listener of listeners) listener();
}

export function say(text: string, tone: Toast["tone"] = "good"): void {
	const id = ++last;
	change([...toasts, { id, tone, text }]);
	setTimeout(() => change(toasts.filter((toast) => toast.id !== id)), tone === "warn" ? 12_000 : 5_000);
}

export function Toasts() {
	const shown = useSyncExternalStore(
		(listener) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		() => toasts,
	);
	return (
		<div className="toasts" role="status" aria-live="polite">
			{shown.map((toast) => (
				<div key={toast.id} className={`toast toast-${toast.tone}`}>
					{toast.tone === "good" ? <CircleCheck aria-hidden /> : <TriangleAlert aria-hidden />}
					{toast.text}
				</div>
			))}
		</div>
	);
}
