using Proxy.Operations;

namespace Proxy.Admin.Reports;

/// <summary>What <c>GET /settings</c> answers.</summary>
/// <param name="Settings">All settings, by key.</param>
internal sealed record SettingsReport(IReadOnlyList<ShownSetting> Settings);
