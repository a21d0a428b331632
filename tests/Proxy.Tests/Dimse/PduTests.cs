using System.Text;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Dimse;

public class PduTests
{
    private static readonly AssociatePdu Request = new(
        "PACS", "PROXY", ContextPlan.ForRetrieval(["1.2.840.10008.5.1.4.1.1.2"], isUncompressed: false).Contexts)
    {
        MaxPduBytes = 131072,
        ImplementationClassUid = FileHead.ImplementationClassUid,
        ImplementationVersion = FileHead.ImplementationVersion,
        Roles = [new("1.2.840.10008.5.1.4.1.1.2", DimseRoles.Scp)],
    };

    [Fact]
    public void ReadsWhatItWrites()
    {
        var read = PduReader.ReadAssociate(PduWriter.Write(PduType.AssociateRequest, Request).AsSpan(PduWriter.HeadBytes));

        Assert.Equal(Request with { Contexts = [], Roles = [] }, read with { Contexts = [], Roles = [] });
        Assert.Equal(Request.Roles, read.Roles);
        Assert.Equal(
            Request.Contexts.Select(c => (c.Id, c.AbstractSyntax, string.Join(' ', c.TransferSyntaxes))),
            read.Contexts.Select(c => (c.Id, c.AbstractSyntax, string.Join(' ', c.TransferSyntaxes))));
    }

    [Fact]
    public void ReportsOneError_ForEveryTruncationAndMutation()
    {
        var content = PduWriter.Write(PduType.AssociateRequest, Request)[PduWriter.HeadBytes..];
        var command = new CommandSet(CommandField.StoreRequest) { SopClass = "1.2.3", SopInstance = "1.2.4", MessageId = 7 }.Write();
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var (pdu, set) = ((byte[])content.Clone(), (byte[])command.Clone());
            for (var changes = random.Next(4); changes >= 0; changes--)
            {
                pdu[random.Next(pdu.Length)] = (byte)random.Next(256);
                set[random.Next(set.Length)] = (byte)random.Next(256);
            }
            ReadOrRefuse(() => PduReader.ReadAssociate(pdu.AsSpan(0, random.Next(pdu.Length + 1))));
            ReadOrRefuse(() => CommandSet.Read(set.AsSpan(0, random.Next(set.Length + 1))));
            ReadOrRefuse(() => PduReader.ReadPdvHead(pdu.AsSpan(random.Next(64), 6), random.Next(6, 64)));
        }

        static void ReadOrRefuse(Action read)
        {
            try
            {
                read();
            }
            catch (MalformedAnswerException)
            {
                // The documented error.
            }
        }
    }

    [Fact]
    public void IgnoresPadding_OfTitlesAndUids()
    {
        var padded = Request with { CalledAeTitle = "PACS   ", ImplementationClassUid = "1.2.3\0\0" };

        var read = PduReader.ReadAssociate(PduWriter.Write(PduType.AssociateAccept, padded).AsSpan(PduWriter.HeadBytes));

        Assert.Equal(("PACS", "1.2.3"), (read.CalledAeTitle, read.ImplementationClassUid));
        Assert.Equal("1.2.4", CommandSet.Read(new CommandSet(CommandField.StoreRequest) { SopInstance = "1.2.4\0" }.Write()).SopInstance);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(7, false)]
    [InlineData(30, false)]
    [InlineData(200, true)]
    public void ProposesAtMost128Contexts_AndNeverBigEndian(int classes, bool isUncompressed)
    {
        var plan = ContextPlan.ForRetrieval([.. Enumerable.Range(1, classes).Select(i => $"1.2.3.{i}")], isUncompressed);

        Assert.InRange(plan.Contexts.Length, 2, AssociatePdu.MaxContexts);
        Assert.All(plan.Contexts, c => Assert.Equal(1, c.Id & 1));
        Assert.Equal(plan.Contexts.Length, plan.Contexts.DistinctBy(c => c.Id).Count());
        Assert.DoesNotContain(plan.Contexts, c => c.TransferSyntaxes.Contains(TransferSyntax.ExplicitBigEndian));
        Assert.All(plan.Roles, role => Assert.Equal(DimseRoles.Scp, role.Roles));
        var syntaxes = plan.Contexts.SelectMany(c => c.TransferSyntaxes);
        Assert.Equal(!isUncompressed, syntaxes.Any(s => s.StartsWith("1.2.840.10008.1.2.4.", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("ISO_IR 192", "C3BC")]
    [InlineData("ISO_IR 100", "FC")]
    [InlineData("ISO_IR 144", "3F")]
    public void WritesKeysInTheCharacterSetOfTheSetting(string characterSet, string ofUmlaut)
    {
        var keys = new Identifier();
        keys.Set(Tag.PatientName, "ü");

        var hex = Convert.ToHexString(keys.Write(TransferSyntax.ImplicitLittleEndian, characterSet));

        Assert.Contains(Convert.ToHexString(Encoding.ASCII.GetBytes(characterSet)), hex);
        Assert.Contains("10001000" + "02000000" + ofUmlaut.PadRight(4, '2')[..ofUmlaut.Length], hex);
    }
}
