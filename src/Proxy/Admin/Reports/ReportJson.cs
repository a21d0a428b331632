using System.Text.Json.Serialization;
using Proxy.Admin.Testing;

namespace Proxy.Admin.Reports;

/// <summary>The JSON of the reports; its options are those of the server.</summary>
[JsonSerializable(typeof(LivenessReport))]
[JsonSerializable(typeof(HealthReport))]
[JsonSerializable(typeof(SettingsReport))]
[JsonSerializable(typeof(CacheReport))]
[JsonSerializable(typeof(TrafficReport))]
[JsonSerializable(typeof(TestReport))]
[JsonSerializable(typeof(CachedStudyReport[]))]
[JsonSerializable(typeof(SupportReport))]
[JsonSerializable(typeof(StudyReport))]
[JsonSerializable(typeof(SeriesReport))]
[JsonSerializable(typeof(IAsyncEnumerable<StudyReport>))]
internal sealed partial class ReportJson : JsonSerializerContext;
