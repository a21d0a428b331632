using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;
using Proxy.Audit;
using Proxy.Audit.Sinks;
using Proxy.Tests.Rules;
using Xunit;
using FhirEvent = Hl7.Fhir.Model.AuditEvent;

namespace Proxy.Tests.Audit;

/// <summary>Records are valid AuditEvents of FHIR R4, as the reference library for .NET reads them.</summary>
public sealed class FhirAuditEventTests
{
    private static readonly JsonSerializerOptions Strict = new JsonSerializerOptions().ForFhir(ModelInfo.ModelInspector);

    [Fact]
    public void AreValid() => Assert.All(SampleRecords.All, record =>
    {
        var parsed = JsonSerializer.Deserialize<FhirEvent>(Write(record), Strict)!;
        Assert.Equal(record.Action, parsed.Action.ToString());
        Assert.Single(parsed.Agent, agent => agent.Requestor == true);
        // Invariant sev-1: an entity has a name or a query, not both.
        Assert.All(parsed.Entity, entity => Assert.True(entity.Name is null || entity.Query is null));
    });

    [Fact]
    public void StatesWhoDidWhat()
    {
        var record = JsonSerializer.Deserialize<FhirEvent>(Write(SampleRecords.Frames), Strict)!;

        Assert.Equal(("110103", "2026-11-28T09:30:00.000Z", "2026-11-28T09:34:00.000Z"), (
            record.Type!.Code, record.RecordedElement.ToString(), record.Period!.End));
        var user = record.Agent[0];
        Assert.Equal(("https://issuer.example", "anna", "10.1.2.3"), (
            user.Who!.Identifier!.System, user.Who.Identifier.Value, user.Network!.Address));
        Assert.Equal(["proxy1", "east"], record.Agent.Skip(1).Select(agent => agent.Name));
        Assert.Equal(["P7", "urn:oid:1.2.840.1"], record.Entity.Select(entity => entity.What!.Identifier!.Value));
    }

    /// <summary>T27: hostile texts stay within their value, and the record within its line.</summary>
    [Theory]
    [InlineData("a\r\nb")]
    [InlineData("\"},{\"resourceType\":\"AuditEvent\"}")]
    [InlineData("a\0b\u0085c\u2028d\uFFFF")]
    [InlineData("lone \uD800 surrogate")]
    public void T27_HostileTextStaysWhereItIs(string text)
    {
        var json = Write(SampleRecords.Frames with
        {
            UserId = text,
            UserName = text,
            Issuer = text,
            UserAgent = text,
            Patient = new(text, text),
            OutcomeText = text,
        });

        Assert.DoesNotContain('\n', json);
        Assert.DoesNotContain('\u2028', json);
        Assert.Equal("AuditEvent", (string)JsonNode.Parse(json)!["resourceType"]!);
    }

    /// <summary>The examples in docs/audit.md are what the sinks write.</summary>
    [Fact]
    public void TheExamplesInTheDocumentAreCurrent()
    {
        var path = SourceTree.GetPath("docs/audit.md");
        var document = File.ReadAllText(path);
        var fhir = JsonNode.Parse(Write(SampleRecords.Search))!.ToJsonString(new() { WriteIndented = true });
        var output = new ArrayBufferWriter<byte>();
        SyslogMessage.Write(output, SampleRecords.Frames, "proxy1");
        var syslog = Encoding.UTF8.GetString(output.WrittenSpan).Replace($" {Environment.ProcessId} ", " 4711 ", StringComparison.Ordinal)
            .Replace($"\"{Environment.ProcessId}\"", "\"4711\"", StringComparison.Ordinal).Replace("\uFEFF", "", StringComparison.Ordinal)
            .Replace("><", ">\n<", StringComparison.Ordinal);
        // The length depends on that of the process id.
        syslog = syslog[(syslog.IndexOf(' ', StringComparison.Ordinal) + 1)..];

        var expected = Replace(Replace(document, "fhir", fhir), "syslog", syslog);

        if (document == expected) return;
        var current = Path.Combine(AppContext.BaseDirectory, "audit.md");
        File.WriteAllText(current, expected);
        Assert.Fail($"docs/audit.md is not up to date. Copy {current} over it.");
    }

    private static string Replace(string document, string example, string text)
    {
        var start = document.IndexOf($"<!-- example: {example} -->\n```text\n", StringComparison.Ordinal);
        start = document.IndexOf("```text\n", start, StringComparison.Ordinal) + "```text\n".Length;
        var end = document.IndexOf("```", start, StringComparison.Ordinal);
        return document[..start] + text + "\n" + document[end..];
    }

    private static string Write(AuditRecord record)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer)) FhirAuditEvent.Write(json, record, "proxy1");
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
