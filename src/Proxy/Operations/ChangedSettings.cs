namespace Proxy.Operations;

/// <summary>Announced after a reload that changed settings (<see cref="ReloadSubscriptions.OnReload"/>).</summary>
/// <param name="Keys">The names of the settings, in order.</param>
internal sealed record ChangedSettings(IReadOnlyList<string> Keys);
