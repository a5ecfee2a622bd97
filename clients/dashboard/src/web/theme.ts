/** Light or dark: what was chosen here, else what the system says. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme | undefined {
	try {
		const theme = localStorage.getItem("theme");
		return theme === "light" || theme === "dark" ? theme : undefined;
	} catch {
		return undefined;
	}
}

const current = (): Theme => chosen() ?? (system.matches ? "dark" : "light");

function apply(): void {
	document.documentElement.dataset.theme = current();
	for (const listener of listeners) listener();
}

export function setTheme(theme: Theme): void {
	try {
		localStorage.setItem("theme", theme);
	} catch {
		// for this page only, then
	}
	document.documentElement.dataset.theme = theme;
	for (const listener of listeners) listener();
}

export function useTheme(): Theme {
	return useSyncExternalStore(
		(listener) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
		() => (document.documentElement.dataset.theme as Theme | undefined) ?? current(),
	);
}

system.addEventListener("change", apply);
apply();
