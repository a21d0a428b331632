using System.Text.Json;
using System.Text.Json.Serialization;

namespace Proxy.Events;

/// <summary>The data of an event on the wire; members that do not concern the event are absent.</summary>
internal sealed record EventData
{
    [JsonPropertyName("StudyInstanceUID")]
    public string? StudyUid { get; init; }

    [JsonPropertyName("SeriesInstanceUID")]
    public string? SeriesUid { get; init; }

    /// <summary>The new series of <see cref="ProxyEvent.SeriesAdded"/>.</summary>
    [JsonPropertyName("SeriesInstanceUIDs")]
    public IReadOnlyList<string>? SeriesUids { get; init; }

    /// <summary>The number of new instances of <see cref="ProxyEvent.InstancesAdded"/>.</summary>
    public int? Instances { get; init; }

    public string? Backend { get; init; }

    public bool? MadeInClient { get; init; }

    /// <summary>Further members. The serializer refuses an init-only property for them.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? More { get; set; }

    public static EventData Create(ProxyEvent @event) => new()
    {
        StudyUid = @event.Study?.ToString(),
        SeriesUid = @event.Series?.ToString(),
        SeriesUids = @event.Name == ProxyEvent.SeriesAdded ? [.. @event.Added.Select(uid => uid.ToString())] : null,
        Instances = @event.Name == ProxyEvent.InstancesAdded ? @event.Added.Length : null,
        Backend = @event.Backend,
        MadeInClient = @event.MadeInClient,
        More = @event.More,
    };
}

/// <summary>The JSON of events.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventData))]
internal sealed partial class EventJson : JsonSerializerContext;
