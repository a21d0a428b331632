using FsCheck;
using FsCheck.Xunit;
using Proxy.Backends.Queries;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Search;

public class PackedRowsTests
{
    [Property(MaxTest = 100)]
    public async Task ReadsRowsAsWritten(DoNotSize<int> seed)
    {
        var rows = await Answers.ReadAsync(RandomDatasets.Answer(seed.Item, 40));
        var packed = new PackedRows();
        var places = rows.ConvertAll(packed.Add);

        // In any order, because each row is read without the others.
        foreach (var i in Enumerable.Range(0, rows.Count).Reverse())
        {
            var read = packed.Read(places[i]);
            Assert.Equal(rows[i].Attributes.Select(a => a.Tag), read.Attributes.Select(a => a.Tag));
            foreach (var attribute in rows[i].Attributes)
                Assert.Equal(Answers.Text(rows[i].FindAttribute(attribute.Tag)), Answers.Text(read.FindAttribute(attribute.Tag)));
            Assert.Equal(read.Attributes, Answers.Dataset(Answers.Text(read)).Attributes);
        }
    }

    [Fact]
    public void UsesLittleMemory_WhenRowsAreSimilar()
    {
        var packed = new PackedRows();
        var places = Enumerable.Range(0, 1000).Select(i => packed.Add(Row(i))).ToList();

        Assert.InRange(packed.Bytes, 1, 1000 * Answers.Text(Row(7)).Length / 2);
        for (var i = 0; i < places.Count; i++) Assert.Equal(Answers.Text(Row(i)), Answers.Text(packed.Read(places[i])));
    }

    [Fact]
    public void StoresARowLargerThanAChunk()
    {
        var packed = new PackedRows();
        packed.Add(Row(1));
        var large = Answers.Dataset("{\"00204000\":{\"vr\":\"LT\",\"Value\":[\"" + new string('x', 200_000) + "\"]}}");
        Assert.Equal(Answers.Text(large), Answers.Text(packed.Read(packed.Add(large))));
    }

    private static Proxy.Dicom.Dataset Row(int i) => Answers.Dataset(
        "{\"00080020\":{\"vr\":\"DA\",\"Value\":[\"2024" + $"{i % 12 + 1:D2}{i % 28 + 1:D2}"
            + "\"]},\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"DOE^JANE " + i
        + "\"}]},\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2.840.113619.2." + i + "\"]},\"00201206\":{\"vr\":\"IS\",\"Value\":[" + i % 9
            + "]}}");
}
