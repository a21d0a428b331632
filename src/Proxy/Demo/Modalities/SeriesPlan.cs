using System.Globalization;

namespace Proxy.Demo.Modalities;

/// <summary>What is decided about a series before its modality fills it.</summary>
/// <param name="Study">The study's key.</param>
/// <param name="Key">The series' own key below the study's.</param>
/// <param name="Number">Series number.</param>
/// <param name="Description">Series description.</param>
/// <param name="Site">Where it was made: the institution.</param>
/// <param name="Date">The day it was made, and <paramref name="Time"/> the time.</param>
/// <param name="Time">As the standard writes it, HHMMSS.</param>
internal sealed record SeriesPlan(string Study, string Key, int Number, string Description, string Site, string Date, string Time)
{
    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    public string FrameOfReference => DemoUid.Create(Study, "frame of reference");

    /// <summary>A series of <paramref name="modality"/>; <paramref name="shared"/> holds for each of its instances.</summary>
    public DemoSeries Create(string modality, DemoDataset shared, IEnumerable<DemoInstance> instances)
    {
        var uid = DemoUid.Create(Study, Key);
        return new DemoSeries(uid, DemoDataset.Union(shared, new DemoDataset
        {
            { "SeriesDate", Date },
            { "SeriesTime", Time },
            { "Modality", modality },
            { "Manufacturer", "Demo" },
            { "InstitutionName", Site },
            { "StationName", $"DEMO-{modality}" },
            { "SeriesDescription", Description },
            { "ManufacturerModelName", $"Phantom {modality}" },
            { "ProtocolName", Description },
            { "SeriesInstanceUID", uid },
            { "SeriesNumber", Number },
            { "PerformedProcedureStepStartDate", Date },
            { "PerformedProcedureStepStartTime", Time },
        }), [.. instances]);
    }

    public DemoInstance Instance(int number, string sopClass, DemoDataset own, DemoBulk pixels)
    {
        var uid = DemoUid.Create(Study, Key, number.ToString(CultureInfo.InvariantCulture));
        return new DemoInstance(uid, DemoDataset.Union(own, new DemoDataset
        {
            { "SOPClassUID", sopClass },
            { "SOPInstanceUID", uid },
            { "AcquisitionDate", Date },
            { "ContentDate", Date },
            { "AcquisitionTime", Time },
            { "ContentTime", Time },
            { "AvailableTransferSyntaxUID", ExplicitLittleEndian },
            { "AcquisitionNumber", 1 },
            { "InstanceNumber", number },
            { "PixelData", pixels },
        }), pixels);
    }
}
