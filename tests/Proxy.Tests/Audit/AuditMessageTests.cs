using System.Text;
using System.Xml.Linq;
using Proxy.Audit;
using Proxy.Audit.Sinks;
using Xunit;

namespace Proxy.Tests.Audit;

/// <summary>An <c>AuditMessage</c> has the elements and attributes of the schema in PS3.15 §A.5.1, in its order.</summary>
public sealed class AuditMessageTests
{
    private const string Code = "csd-code codeSystemName originalText";

    /// <summary>The schema: children in order (<c>?</c> optional, <c>*</c> any number, <c>+</c> at least one), and attributes.</summary>
    private static readonly Dictionary<string, (string Children, string Needed, string Optional)> Schema = new()
    {
        ["AuditMessage"] = (
            "EventIdentification,(ActiveParticipant,)+AuditSourceIdentification,(ParticipantObjectIdentification,)*", "", ""),
        ["EventIdentification"] = (
            "EventID,(EventTypeCode,)*(EventOutcomeDescription,)?", "EventDateTime EventOutcomeIndicator", "EventActionCode"),
        ["EventID"] = ("", Code, "displayName"),
        ["EventTypeCode"] = ("", Code, "displayName"),
        ["EventOutcomeDescription"] = ("", "", ""),
        ["ActiveParticipant"] = (
            "(RoleIDCode,)*(MediaIdentifier,)?", "UserID UserIsRequestor",
            "AlternativeUserID UserName NetworkAccessPointID NetworkAccessPointTypeCode"),
        ["RoleIDCode"] = ("", Code, "displayName"),
        ["AuditSourceIdentification"] = ("(AuditSourceTypeCode,)*", "AuditSourceID", "AuditEnterpriseSiteID"),
        ["AuditSourceTypeCode"] = ("", "csd-code", ""),
        ["ParticipantObjectIdentification"] = (
            "ParticipantObjectIDTypeCode,(ParticipantObjectName,|ParticipantObjectQuery,)(ParticipantObjectDetail,)*",
            "ParticipantObjectID", "ParticipantObjectTypeCode ParticipantObjectTypeCodeRole"),
        ["ParticipantObjectIDTypeCode"] = ("", Code, "displayName"),
        ["ParticipantObjectName"] = ("", "", ""),
        ["ParticipantObjectQuery"] = ("", "", ""),
        ["ParticipantObjectDetail"] = ("", "type value", ""),
    };

    [Fact]
    public void HasTheStructureOfTheSchema() => Assert.All(SampleRecords.All, record => Check(XElement.Parse(Write(record))));

    [Fact]
    public void StatesWhoDidWhat()
    {
        var message = XElement.Parse(Write(SampleRecords.Frames));

        Assert.Equal("110103", (string)message.Descendants("EventID").Single().Attribute("csd-code")!);
        var user = message.Elements("ActiveParticipant").First();
        Assert.Equal(
            ["anna", "true", "10.1.2.3"],
            ((string[])["UserID", "UserIsRequestor", "NetworkAccessPointID"]).Select(name => (string)user.Attribute(name)!));
        Assert.Equal(["anna", "proxy1", "east"], message.Elements("ActiveParticipant").Select(p => (string)p.Attribute("UserID")!));
        Assert.Equal(
            ["P7", "1.2.840.1"],
            message.Elements("ParticipantObjectIdentification").Select(o => (string)o.Attribute("ParticipantObjectID")!));
        var details = message.Descendants("ParticipantObjectDetail").ToDictionary(
            d => (string)d.Attribute("type")!, d => Encoding.UTF8.GetString(Convert.FromBase64String((string)d.Attribute("value")!)));
        Assert.Equal(("1.2.840.1.1", "240", "235", "5"), (details["series"], details["frames"], details["hits"], details["misses"]));
    }

    [Fact]
    public void HasTheQueryInBase64()
    {
        var query = XElement.Parse(Write(SampleRecords.Search)).Descendants("ParticipantObjectQuery").Single().Value;

        Assert.Equal("/dicomweb/studies?PatientID=P7", Encoding.UTF8.GetString(Convert.FromBase64String(query)));
    }

    /// <summary>T27: hostile texts stay within their attribute, and the message within its line.</summary>
    [Theory]
    [InlineData("a\r\nb")]
    [InlineData("\"/><AuditMessage/>")]
    [InlineData("a\0b\u0085c\u2028d\uFFFF")]
    [InlineData("lone \uD800 surrogate")]
    [InlineData("]]>&lt;&#10;")]
    public void T27_HostileTextStaysWhereItIs(string text)
    {
        var record = SampleRecords.Frames with
        {
            UserId = text,
            UserName = text,
            Issuer = text,
            UserAgent = text,
            Patient = new(text, text),
            Reason = text,
            OutcomeText = text,
        };

        var xml = Write(record);

        Assert.DoesNotContain('\n', xml);
        Assert.DoesNotContain('\r', xml);
        Check(XElement.Parse(xml));
    }

    private static string Write(AuditRecord record)
    {
        using var output = new MemoryStream();
        AuditMessage.Write(output, record, "proxy1");
        return Encoding.UTF8.GetString(output.ToArray());
    }

    private static void Check(XElement element)
    {
        var (children, needed, optional) = Schema[element.Name.LocalName];
        Assert.Matches($"^{children}$", string.Concat(element.Elements().Select(child => child.Name.LocalName + ",")));
        var attributes = element.Attributes().Select(a => a.Name.LocalName).ToList();
        Assert.Empty(needed.Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(attributes));
        Assert.Empty(attributes.Except(needed.Split(' ')).Except(optional.Split(' ')));
        foreach (var attribute in element.Attributes())
        {
            var value = attribute.Name.LocalName switch
            {
                "EventActionCode" => "^[CRUDE]$",
                "EventOutcomeIndicator" => "^(0|4|8|12)$",
                "EventDateTime" => @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
                "UserIsRequestor" => "^(true|false)$",
                "ParticipantObjectTypeCode" => "^[1-4]$",
                _ => "",
            };
            Assert.Matches(value, attribute.Value);
        }
        foreach (var child in element.Elements()) Check(child);
    }
}
