using System.Text.Json.Serialization;

namespace Proxy.Admin.Reports;

/// <summary>The JSON of the reports; its options are those of the server.</summary>
[JsonSerializable(typeof(LivenessReport))]
[JsonSerializable(typeof(HealthReport))]
[JsonSerializable(typeof(CacheReport))]
[JsonSerializable(typeof(StudyReport))]
[JsonSerializable(typeof(SeriesReport))]
[JsonSerializable(typeof(IAsyncEnumerable<StudyReport>))]
internal sealed partial class ReportJson : JsonSerializerContext;
